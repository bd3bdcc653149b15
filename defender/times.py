"""The API's times: read without rounding, compared with every digit they were sent with.

The service writes UTC with 0 to 7 fractional digits, and a Python datetime holds 6. A seventh digit is cut, never
rounded: a rounded-up watermark would ask for what lies after an incident that was never seen. Where the last digit
matters (the watermark), the text itself is kept and compared by `later`.
"""

import re
from datetime import UTC, datetime, timedelta

# The longest text taken for a time, in characters: ours. Real ones have at most 33.
MAX_TIME_TEXT = 64

_ORDINARY = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z", re.ASCII)
_TOLERATED = re.compile(
    r"\s*(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"
    r"(?:[Tt ](?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d*))?)?)?"
    r"\s*(?P<zone>[Zz]|(?P<sign>[+-])(?P<zone_hour>\d\d):?(?P<zone_minute>\d\d)?)?\s*",
    re.ASCII,
)
# .NET writes its smallest and largest date where a time was never set. They are not times, and a database driver in
# another zone cannot even hold them.
_FIRST_YEAR, _LAST_YEAR = 2, 9998


def parse_time(text: str | None) -> datetime | None:
    """The instant as an aware UTC datetime, cut to microseconds; None for what is no time.

    A missing zone means UTC. Years 0001 and 9999 are "never set", hence None. A leap second becomes the second before.
    """
    exact = instant(text)
    if exact is None:
        return None
    moment, fraction = exact
    return moment.replace(microsecond=int(fraction[:6].ljust(6, "0")))


def is_later(text: str, than: str) -> bool:
    """Whether the first time is strictly after the second, by all digits sent. What is no time is never later."""
    mine, other = instant(text), instant(than)
    if mine is None:
        return False
    return other is None or mine > other


def later(text_a: str, text_b: str) -> str:
    """The later of two time texts, exactly as sent; the first if they name one instant. No time loses to a time."""
    return text_b if is_later(text_b, text_a) else text_a


def instant(text: str | None) -> tuple[datetime, str] | None:
    """Something that orders as the times do, by all digits sent; None for what is no time.

    It is the whole seconds in UTC and the fractional digits without trailing zeros.
    """
    if not text or len(text) > MAX_TIME_TEXT:
        return None
    moment = _ordinary(text) or _tolerated(text)
    if moment is None or not _FIRST_YEAR <= moment[0].year <= _LAST_YEAR:
        return None
    return moment


def _ordinary(text: str) -> tuple[datetime, str] | None:
    """The form the service nearly always writes, read by the C parser."""
    if not _ORDINARY.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text[:19]).replace(tzinfo=UTC), text[20:-1].rstrip("0")
    except ValueError:
        return None


def _tolerated(text: str) -> tuple[datetime, str] | None:
    """Every other ISO form: a date alone, a blank for T, an offset, no zone, a comma, a leap second."""
    found = _TOLERATED.fullmatch(text)
    if found is None:
        return None
    part = {name: int(found[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")}
    fraction = (found["fraction"] or "").rstrip("0")
    if part["second"] == 60:
        part["second"], fraction = 59, "999999"
    try:
        return datetime(**part, tzinfo=UTC) - _offset(found), fraction
    except (ValueError, OverflowError):
        return None


def _offset(found: re.Match[str]) -> timedelta:
    """How far the text's own zone is ahead of UTC."""
    if not found["sign"]:
        return timedelta()
    ahead = timedelta(hours=int(found["zone_hour"]), minutes=int(found["zone_minute"] or 0))
    return -ahead if found["sign"] == "-" else ahead
