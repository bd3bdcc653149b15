"""From one incident's bytes to plain Python values, within bounds that hold before anything recurses.

Most incidents are decoded by msgspec. What it refuses although a person could read it (a lone surrogate, NaN, a
control character inside a text, a broken UTF-8 byte, a number beyond 64 bits) is decoded again by the standard
library and cleaned. What neither can read, or what is over a bound, is Unreadable with a short reason.
"""

import json
import math
import re
from typing import Any

import msgspec

from defender.cleaning import clean_tree

# Bounds on one incident. All are ours; the largest incident seen elsewhere had 245 KB and a depth of 6.
MAX_INCIDENT_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 64
# A double has at most 309 digits before the point. Turning digits into an integer takes quadratic time.
MAX_DIGITS = 400
# Values cost about 100 bytes of memory each once decoded.
MAX_VALUES = 2_000_000

_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_STRING = re.compile(rb'"[^"]*+"?')
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_FIRST_ID = re.compile(rb'"incidentId"\s*:\s*"?([1-9][0-9]{0,18})(?![0-9.eE])')
_TO_SHAPE = bytes.maketrans(b"{}123456789", b"[]000000000")
_NO_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]")))
# A number of so many digits may not fit into 64 bits, and msgspec would read it nevertheless.
_HUGE = b"0" * 19
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Unreadable(Exception):
    """One incident that cannot be read. `reason` is a stable id, `sentence` is for people.

    `incident_id` is a guess from the bytes, for a stub row that people can see; None if there is none.
    """

    def __init__(self, reason: str, sentence: str, *, incident_id: int | None = None) -> None:
        super().__init__(reason, sentence)
        self.reason = reason
        self.sentence = sentence
        self.incident_id = incident_id

    def __str__(self) -> str:
        return self.sentence


def decode(raw: bytes) -> tuple[dict[str, Any], bool]:
    """The incident as a dict free of NUL, lone surrogates and NaN, and whether any of these had to be replaced.

    Raises Unreadable: too_large, too_deep, too_many_digits, too_many_values, syntax, not_an_object.
    """
    raw = raw.removeprefix(_BYTE_ORDER_MARK)
    shape = _shape(raw)
    _check_bounds(shape)
    tree, cleaned = (None if _HUGE in shape else _decode_strictly(raw)) or _decode_leniently(raw)
    if not isinstance(tree, dict):
        raise Unreadable("not_an_object", "The entry is not a JSON object, so it is no incident.")
    return tree, cleaned


def guess_incident_id(raw: bytes) -> int | None:
    """The first incident number in the bytes, without decoding them; alerts inside repeat the same number."""
    found = _FIRST_ID.search(raw)
    number = int(found[1]) if found else 0
    return number if 0 < number < 2**63 else None


def _shape(raw: bytes) -> bytes:
    """The incident without its texts, with every bracket as a square one and every digit as a nought."""
    if len(raw) > MAX_INCIDENT_BYTES:
        raise Unreadable("too_large", f"The incident has {len(raw):,} bytes; at most {MAX_INCIDENT_BYTES:,} are read.")
    plain = _ESCAPE.sub(b"", raw) if b"\\" in raw else raw
    return _STRING.sub(b"", plain).translate(_TO_SHAPE)


def _check_bounds(shape: bytes) -> None:
    """Digits, count and depth, each in time linear in the size and without recursion."""
    if b"0" * (MAX_DIGITS + 1) in shape:
        raise Unreadable("too_many_digits", f"The incident holds a number of more than {MAX_DIGITS} digits.")
    if shape.count(b",") > MAX_VALUES:
        raise Unreadable("too_many_values", f"The incident holds more than {MAX_VALUES:,} values.")
    if _is_deeper(shape.translate(None, delete=_NO_BRACKETS), MAX_DEPTH):
        raise Unreadable("too_deep", f"The incident is nested deeper than {MAX_DEPTH} levels.")


def _is_deeper(brackets: bytes, levels: int) -> bool:
    """Whether brackets nest deeper: each round removes the innermost pairs. Unpaired ones count as too deep only
    when there are more of them than levels, and are otherwise left to the decoder."""
    for _ in range(levels):
        inner = brackets.replace(b"[]", b"")
        if len(inner) == len(brackets):
            break
        brackets = inner
    return brackets.count(b"[") > levels or b"[]" in brackets


def _decode_strictly(raw: bytes) -> tuple[Any, bool] | None:
    try:
        tree = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return clean_tree(tree) if _SUSPECT.search(raw) else (tree, False)


def _decode_leniently(raw: bytes) -> tuple[Any, bool]:
    text = raw.decode(errors="replace")
    numbers = _Numbers()
    try:
        tree = json.loads(
            text,
            strict=False,
            parse_constant=numbers.replace,
            parse_float=numbers.read_float,
            parse_int=numbers.read_int,
        )
    except (ValueError, RecursionError) as error:
        raise Unreadable("syntax", "The incident is not valid JSON.") from error
    tree, changed = clean_tree(tree)
    return tree, changed or numbers.replaced or text.encode(errors="surrogatepass") != raw


class _Numbers:
    """How the lenient decoder reads numbers: none that JSON or a 64-bit column cannot hold."""

    def __init__(self) -> None:
        self.replaced = False

    def replace(self, _constant: str) -> None:
        """NaN and the infinities become null."""
        self.replaced = True

    def read_float(self, digits: str) -> float | None:
        number = float(digits)
        if math.isfinite(number):
            return number
        self.replaced = True
        return None

    def read_int(self, digits: str) -> int | str:
        """A number beyond 64 bits stays text: every consumer would cut or refuse it."""
        number = int(digits)
        return number if -(2**63) <= number < 2**63 else digits
