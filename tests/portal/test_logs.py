"""M3: whatever is in the fields, one event is one line of JSON, and nothing in it forges another or shows a secret."""

import io
import json
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog

from portal.logs import configure

STRINGS = 10_000
PIECES = (
    *(
        "\n",
        "\r\n",
        "\r",
        "\x00",
        "\x1b[2J",
        "\x1b]0;title\x07",
        "\u2028",
        "\u2029",
        "\x85",
        "\u202e",
        "\ud800",
        "\udfff",
    ),
    *('"', "'", "\\", '\\"', '{"event": "forged"}', "}\n{", "%s", "%(name)s", "{0}", "${jndi:ldap://x}", "<b>", "&"),
    *("state=", "code=a\\", 'client_secret=x"y', "eyJabcdefghij.", "/connect/", "=1+1", "\ufeff", "é", "\U0001f510"),
    *("level=error", "\t", " ", "a", "Z", "9", "null", "NaN", "\x7f", "\x9b"),
)


@contextmanager
def writing() -> Iterator[io.StringIO]:
    """What the portal's own handler, set to JSON as in production, writes meanwhile, and no other handler hears."""
    root, out = logging.getLogger(), io.StringIO()
    before, level = list(root.handlers), root.level
    root.handlers.clear()  # those of pytest are neither closed nor fed with what no report can carry
    configure({"level": "DEBUG", "format": "json"})
    (ours,) = root.handlers
    assert isinstance(ours, logging.StreamHandler)
    ours.setStream(out)
    try:
        yield out
    finally:
        root.handlers[:] = before
        root.setLevel(level)


def hostile(chance: random.Random) -> str:
    """Some pieces in a row, and now and then any character at all."""
    pieces = [chance.choice(PIECES) for _ in range(chance.randrange(1, 12))]
    if chance.random() < 0.3:
        pieces.append("".join(chr(chance.randrange(0x110000)) for _ in range(5)))
    return "".join(pieces)


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    """Every line, parsed; strictly, so that NaN is no JSON."""
    text = out.getvalue()
    assert text.isascii()
    assert text.endswith("\n")
    return [json.loads(line, parse_constant=_refuse) for line in text[:-1].split("\n")]


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def test_m3_ten_thousand_hostile_strings_are_ten_thousand_lines_of_json() -> None:
    with writing() as written:
        chance = random.Random(20263)
        ours, foreign = structlog.get_logger("portal.test"), logging.getLogger("somebody.else")
        for number in range(STRINGS):
            text = hostile(chance)
            match number % 5:
                case 0:
                    ours.info("event", field=text, nested={"a": [text, {"b": text}]})
                case 1:
                    foreign.warning("%s said", text)
                case 2:
                    foreign.warning(text.replace("%", ""))
                case 3:
                    ours.warning(text)
                case _:
                    _raise_and_log(foreign, text)
        got = lines(written)
        print(f"{STRINGS} strings, {len(got)} lines")  # noqa: T201
        assert len(got) == STRINGS
        assert {line["level"] for line in got} == {"info", "warning", "error"}
        assert {line["logger"] for line in got} == {"portal.test", "somebody.else"}


def _raise_and_log(logger: logging.Logger, text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        logger.exception("it failed")


@pytest.mark.parametrize(
    "odd", [float("nan"), float("inf"), {("a", 1): 2}, {1, 2}, b"\xff\n", object(), 10**400, ValueError("a\nb")]
)
def test_m3_values_that_json_has_no_form_for_do_not_break_the_line(odd: object) -> None:
    with writing() as written:
        structlog.get_logger("portal.test").info("event", odd=odd)
        (line,) = lines(written)
        assert line["event"].strip("'") == "event"


def test_m3_a_value_that_holds_itself_does_not_break_the_line() -> None:
    with writing() as written:
        endless: list[object] = []
        endless.append(endless)
        structlog.get_logger("portal.test").info("event", odd=endless)
        assert len(lines(written)) == 1


@pytest.mark.parametrize("before", ["", " ", "\n", "\t", "?", "&", "\r\n", '"', "'", "\\"])
@pytest.mark.parametrize("name", ["state", "code", "client_secret", "client_assertion", "access_token"])
def test_k1_a_secret_is_hidden_wherever_in_a_text_it_begins(before: str, name: str) -> None:
    with writing() as written:
        structlog.get_logger("portal.test").info(
            "event", text=f"x{before}{name}=s3cr3t~value" if before else f"{name}=s3cr3t~value"
        )
        logging.getLogger("other").warning("it was %s%s=s3cr3t~value\nand went on", before, name)
        assert "s3cr3t" not in written.getvalue()
        assert len(lines(written)) == 2


def test_k1_a_token_at_the_beginning_of_a_line_is_hidden() -> None:
    with writing() as written:
        logging.getLogger("other").warning("token:\neyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2lnbmF0dXJl\nend")
        assert "eyJhbGci" not in written.getvalue()
        assert lines(written)[0]["event"] == "token:\n[hidden]\nend"
