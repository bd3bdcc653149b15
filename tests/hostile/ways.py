"""Every way in which an incident can be damaged: on the level of its values, and on the level of its bytes.

Each way takes an incident and chance, and returns bytes. ``READ`` are still incidents and have to be shown; ``ASIDE``
are none, or are over a bound, and have to be put aside. ``EITHER`` depends on where chance strikes.
"""

import json
import random
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from sandbox.hostile import NAMES
from tests.defender.mutations import ODD_TEXTS, ODD_VALUES

Raw = dict[str, Any]
Way = Callable[[random.Random, Raw], bytes]

TIMES: tuple[Any, ...] = (
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *(
        "0002-01-01T00:00:00+14:00",
        "9998-12-31T23:59:59-14:00",
        "2026-03-01",
        "2026-03-01T08:00",
        "2026-03-01 08:00:00",
    ),
    *("2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T23:59:60Z", "yesterday"),
    *("2026-03-01T08:00:00." + "9" * 40 + "Z", "2026-03-01T08:00:00,5+0530", "2026-03-01T08:00:00+99:99"),
    *("٢٠٢٦-03-01T08:00:00Z", "-2026-03-01T08:00:00Z", "12026-03-01T08:00:00Z", "/Date(1772352000000)/", " " * 70),
    *("2026-03-01T08:00:00\x00Z", 1772352000, 1772352000.5, 10**30, None, True, [], {}, ["2026-03-01T08:00:00Z"]),
)
WORDS: tuple[Any, ...] = (
    *("unknownFutureValue", "5", "", "Redirected", "redirected", "HIGH", "UnSpecified", "None", "New", "x" * 5_000),
    *(None, 7, -1, 2**63, 1.5, True, [], ["High"], {"value": "High"}, "Informational, expected activity", "\u202eHigh"),
)
NO_IDS: tuple[Any, ...] = (
    None,
    0,
    -1,
    -(2**63),
    2**63,
    2**70,
    1.5,
    1e300,
    True,
    "",
    "one hundred",
    "-5",
    "1.0",
    "0",
    "9" * 20,
    [],
    {},
)
TIME_KEYS = ("createdTime", "lastUpdateTime")
WORD_KEYS = ("status", "severity", "classification", "determination", "assignedTo", "incidentName", "incidentUri")
_BREAKING = (b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\x00", b"\xff", b"nul", b"-", b"e", b"\xe2\x80", b"'")


def dumped(raw: Raw) -> bytes:
    """As a service writes it: UTF-8, but what UTF-8 cannot hold is escaped."""
    return json.dumps(raw, separators=(",", ":")).encode()


def _pieces(raw: Raw) -> list[Raw]:
    """The incident, its alerts, and their entities: everything with fields."""
    alerts = [alert for alert in raw["alerts"] if isinstance(alert, dict)]
    return [raw, *alerts, *(entity for alert in alerts for entity in alert["entities"])]


def shape(chance: random.Random, raw: Raw) -> bytes:
    """Some values anywhere replaced, dropped, added or repeated."""
    for _ in range(chance.randint(1, 6)):
        piece = chance.choice(_pieces_still_there(raw))
        keys = [key for key in piece if key != "incidentId"]
        key = chance.choice(keys) if keys else "incidentName"
        act = chance.randrange(4)
        if act == 0:
            piece.pop(key, None)
        else:
            target = chance.choice(("newField", "\x00", "\ud83d", "verdict")) if act == 1 else key
            piece[target] = deepcopy(chance.choice(chance.choice((ODD_VALUES, ODD_TEXTS))))
    return dumped(raw)


def _pieces_still_there(raw: Raw) -> list[Raw]:
    found, waiting = [], [raw]
    while waiting:
        piece = waiting.pop()
        found.append(piece)
        for value in piece.values():
            waiting += [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    return found


def times(chance: random.Random, raw: Raw) -> bytes:
    """Times of any length, offset, year and type."""
    raw |= {key: chance.choice(TIMES) for key in TIME_KEYS}
    for alert in raw["alerts"]:
        alert |= {key: chance.choice(TIMES) for key in ("creationTime", "lastUpdatedTime", "firstActivity")}
        for entity in alert["entities"]:
            entity["evidenceCreationTime"] = chance.choice(TIMES)
    raw["comments"] = [{"comment": "x", "createdBy": 7, "createdTime": chance.choice(TIMES)}]
    return dumped(raw)


def words(chance: random.Random, raw: Raw) -> bytes:
    """Words that no document knows, in every field that has a list of words."""
    raw |= {key: chance.choice(WORDS) for key in WORD_KEYS}
    raw["redirectIncidentId"] = chance.choice(WORDS)
    for alert in raw["alerts"]:
        alert |= {key: chance.choice(WORDS) for key in ("status", "severity", "category", "serviceSource", "title")}
        for entity in alert["entities"]:
            entity |= {"entityType": chance.choice(WORDS), "verdict": chance.choice(WORDS)}
    return dumped(raw)


def nulls(chance: random.Random, raw: Raw) -> bytes:
    """Null everywhere but in the number, or in everything of one level."""
    if chance.random() < 0.5:
        return dumped(dict.fromkeys(raw) | {"incidentId": raw["incidentId"]})
    raw["alerts"] = [None, {}, dict.fromkeys(raw["alerts"][0]), *raw["alerts"]]
    raw |= {"tags": [None], "comments": [None, {}, {"comment": None}]}
    return dumped(raw)


def lists(chance: random.Random, raw: Raw) -> bytes:
    """Lists that are something else, or hold something else."""
    for key in ("alerts", "comments", "tags"):
        raw[key] = deepcopy(chance.choice(([7, "x", [[]]], "text", 5, {"a": 1}, [None] * 50, [{}] * 3, True, None)))
    return dumped(raw)


def texts(chance: random.Random, raw: Raw) -> bytes:
    """Text that people and markup trip over, and long text."""
    for piece in _pieces(raw):
        for key in [key for key, value in piece.items() if isinstance(value, str)]:
            if chance.random() < 0.4 and key not in ("lastUpdateTime", "alertId"):
                piece[key] = chance.choice((*NAMES, *ODD_TEXTS))
    raw["tags"] = [chance.choice(NAMES) for _ in range(chance.randrange(20))]
    return dumped(raw)


def long_text(chance: random.Random, raw: Raw) -> bytes:
    """One text of some hundred thousand characters of up to four bytes each."""
    text = chance.choice(("x", "\u00e4", "\u4e2d", "\U0001f510", "\ud800", "\x00", "\u202e")) * chance.randint(
        1_000, 99_999
    )
    chance.choice(_pieces(raw))[chance.choice(("incidentName", "title", "url", "note"))] = text
    raw["incidentUri"] = text
    return json.dumps(raw, ensure_ascii=chance.random() < 0.5).encode(errors="surrogatepass")


def numbers(chance: random.Random, raw: Raw) -> bytes:
    """NaN, infinities, and numbers that no column holds."""
    odd = chance.choice(
        (b"NaN", b"Infinity", b"-Infinity", b"1e400", b"-1e999", b"1" * 400, b"-" + b"9" * 30, b"0.1e-400")
    )
    return dumped(raw)[:-1] + b',"priorityScore":' + odd + b',"redirectIncidentId":' + odd + b"}"


def id_as_text(chance: random.Random, raw: Raw) -> bytes:
    """The number as text or as a whole float."""
    return dumped(raw | {"incidentId": chance.choice((str, float))(raw["incidentId"])})


def twice(chance: random.Random, raw: Raw) -> bytes:
    """The same keys a second time, with something else; the last one counts, but a number stays the same."""
    again = {key: chance.choice(ODD_VALUES[:9]) for key in chance.sample(sorted(raw), 3) if key != "incidentId"}
    again["incidentId"] = raw["incidentId"]
    return dumped(raw)[:-1] + b"," + dumped(again)[1:]


def two_numbers(chance: random.Random, raw: Raw) -> bytes:
    """Two different numbers in one incident, of which a reader takes the last, also where NaN stands beside them."""
    nan = b',"a":NaN' if chance.random() < 0.5 else b""
    return b'{"incidentId":%d,' % (raw["incidentId"] + 5_000_000) + dumped(raw)[1:-1] + nan + b"}"


def utf8(chance: random.Random, raw: Raw) -> bytes:
    """Bytes inside a text that are no UTF-8."""
    bad = chance.choice((b"\xff\xfe", b"\xc3(", b"\xed\xa0\x80", b"\xf0\x9f\x92", b"\xe2\x82", b"\x80", b"\xc0\xaf"))
    return dumped(raw)[:-1] + b',"note":"' + bad + b'"}'


def control_characters(chance: random.Random, raw: Raw) -> bytes:
    """Raw control characters inside a text, which JSON forbids."""
    return dumped(raw)[:-1] + b',"note":"a' + bytes(chance.choices(range(32), k=5)) + b'b"}'


def mark(chance: random.Random, raw: Raw) -> bytes:
    """A byte order mark before the incident."""
    return b"\xef\xbb\xbf" + dumped(raw)


def no_id(chance: random.Random, raw: Raw) -> bytes:
    """A number that is none, or none at all."""
    if chance.random() < 0.2:
        del raw["incidentId"]
    else:
        raw["incidentId"] = chance.choice(NO_IDS)
    for alert in raw["alerts"]:
        alert.pop("incidentId", None)
    return dumped(raw | {"tags": [chance.randrange(2**60)]})


def no_object(chance: random.Random, raw: Raw) -> bytes:
    """JSON that is no object."""
    value: Any = chance.choice((None, True, 7, 1.5, "an incident, but as text", [raw], [], [[[]]]))
    # Blanks that differ, since the same bytes would be known the second time.
    return json.dumps(value).encode() + bytes(chance.choices(b" \t\r\n", k=chance.randrange(30, 2_000)))


def cut(chance: random.Random, raw: Raw) -> bytes:
    """The incident up to somewhere in it."""
    whole = dumped(raw)
    return whole[: chance.randrange(1, len(whole))]


def deep(chance: random.Random, raw: Raw) -> bytes:
    """Lists or objects in each other, far deeper than anybody needs."""
    levels = chance.choice((65, 1_000, 100_000))
    begin, end = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return dumped(raw)[:-1] + b',"extra":' + begin * levels + b"1" + end * levels + b"}"


def digits(chance: random.Random, raw: Raw) -> bytes:
    """A number of up to a hundred thousand digits."""
    return dumped(raw)[:-1] + b',"redirectIncidentId":' + b"9" * chance.choice((401, 5_000, 100_000)) + b"}"


def broken(chance: random.Random, raw: Raw) -> bytes:
    """A member that is no JSON."""
    member = chance.choice(
        (b'"a":undefined', b'"a":[}', b"\"a\":'x'", b'"a"', b'"a":1 2', b'"a":+1', b'"a":0x1', b'"a":tru')
    )
    return dumped(raw)[:-1] + b"," + member + b"}"


def huge(chance: random.Random, raw: Raw) -> bytes:
    """More bytes than are read of one incident."""
    return dumped(raw)[:-1] + b',"padding":"' + b"x" * (16 * 1024 * 1024 + chance.randrange(1_000_000)) + b'"}'


def damaged_bytes(chance: random.Random, raw: Raw) -> bytes:
    """Some bytes anywhere replaced, dropped, put in, or moved."""
    whole = bytearray(dumped(raw))
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(whole))
        whole[at : at + chance.choice((0, 1, 1, 20))] = chance.choice((*_BREAKING, bytes([chance.randrange(256)]), b""))
    return bytes(whole)


READ: dict[str, Way] = {
    way.__name__: way
    for way in (
        *(shape, shape, times, words, nulls, lists, texts, long_text, numbers, id_as_text, twice, two_numbers, utf8),
        *(control_characters, mark),
    )
}
ASIDE: dict[str, Way] = {way.__name__: way for way in (no_id, no_object, cut, deep, digits, broken, huge)}
EITHER: dict[str, Way] = {"damaged_bytes": damaged_bytes}
# How often each comes, where it is not once: what is slow is rare, what is wide is often.
WEIGHTS: dict[str, float] = {"shape": 8, "damaged_bytes": 8, "long_text": 0.3, "deep": 0.3, "digits": 0.3, "huge": 0.03}
