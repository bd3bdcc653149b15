"""The API's times: never rounded, never lost, compared by every digit."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defender.times import is_later, later, parse_time

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
FIRST = datetime(2, 1, 2, tzinfo=UTC).replace(tzinfo=None)
LAST = datetime(9998, 12, 30, tzinfo=UTC).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("text", "microsecond"),
    [
        ("2026-03-01T12:00:00Z", 0),
        ("2026-03-01T12:00:00.Z", 0),
        ("2026-03-01T12:00:00.3Z", 300_000),
        ("2026-03-01T12:00:00.29Z", 290_000),
        ("2026-03-01T12:00:00.123456Z", 123_456),
        ("2026-03-01T12:00:00.1234567Z", 123_456),
        ("2026-03-01T12:00:00.9999999Z", 999_999),
        ("2026-03-01T12:00:00.999999999999Z", 999_999),
    ],
)
def test_f30_and_sync_f13_any_number_of_digits_is_read_and_cut_never_rounded(text: str, microsecond: int) -> None:
    assert parse_time(text) == NOON.replace(microsecond=microsecond)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T12:00:00",
        "2026-03-01 12:00:00Z",
        "2026-03-01t12:00:00z",
        "2026-03-01T12:00Z",
        "2026-03-01T14:00:00+02:00",
        "2026-03-01T14:00:00+0200",
        "2026-03-01T14:00:00+02",
        "2026-03-01T08:30:00.000-03:30",
        " 2026-03-01T12:00:00,0Z ",
    ],
)
def test_sync_f13_every_form_of_zone_means_the_same_instant_and_a_missing_one_means_utc(text: str) -> None:
    assert parse_time(text) == NOON


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "never",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-03-01T24:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59-14:00",
        "٢٠٢٦-03-01T12:00:00Z",
        "2026-03-01T12:00:00Z; drop",
        "1772366400",
        "2026-03-01T12:00:00." + "1" * 100 + "Z",
    ],
)
def test_sync_f13_what_is_no_time_or_means_never_set_is_none(text: str | None) -> None:
    assert parse_time(text) is None


def test_a_date_alone_is_its_first_instant_and_a_leap_second_stays_in_its_minute() -> None:
    assert parse_time("2026-03-01") == NOON.replace(hour=0)
    assert parse_time("2016-12-31T23:59:60.5Z") == datetime(2016, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text_a", "text_b", "expected"),
    [
        ("2026-03-01T12:00:00.1234567Z", "2026-03-01T12:00:00.1234568Z", "2026-03-01T12:00:00.1234568Z"),
        ("2026-03-01T12:00:00.2Z", "2026-03-01T12:00:00.1999999Z", "2026-03-01T12:00:00.2Z"),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.0000001Z", "2026-03-01T12:00:00.0000001Z"),
        ("2026-03-01T12:00:00Z", "2026-03-01T14:30:00+02:00", "2026-03-01T14:30:00+02:00"),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000Z", "2026-03-01T12:00:00Z"),
        ("", "2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        ("2026-03-01T12:00:00Z", "soon", "2026-03-01T12:00:00Z"),
        ("2026-03-01T12:00:00Z", "9999-12-31T00:00:00Z", "2026-03-01T12:00:00Z"),
    ],
)
def test_f30_the_later_text_is_found_by_all_its_digits(text_a: str, text_b: str, expected: str) -> None:
    assert later(text_a, text_b) == expected


def test_nothing_is_later_than_itself_and_anything_is_later_than_nothing() -> None:
    assert not is_later("2026-03-01T12:00:00.0Z", than="2026-03-01T12:00:00Z")
    assert is_later("2026-03-01T12:00:00Z", than="")
    assert not is_later("", than="")


@settings(max_examples=300, derandomize=True, deadline=None)
@given(
    st.datetimes(min_value=FIRST, max_value=LAST),
    st.text("0123456789", max_size=9),
    st.integers(-14 * 60, 14 * 60),
)
def test_sync_f13_writing_and_reading_a_time_in_any_zone_gives_its_truncated_instant(
    local: datetime, digits: str, minutes: int
) -> None:
    whole = local.replace(microsecond=0)
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    text = f"{whole.isoformat()}{'.' if digits else ''}{digits}{sign}{hours:02}:{rest:02}"
    micro = int(digits[:6].ljust(6, "0"))
    assert parse_time(text) == whole.replace(tzinfo=UTC, microsecond=micro) - timedelta(minutes=minutes)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.text(max_size=40))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    assert parse_time(text) is None or isinstance(parse_time(text), datetime)
