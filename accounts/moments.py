"""Moments for people: how long ago, and written out in the zone that is in force (``accounts.time_zones``).

Every function returns an ordinary string.
"""

from datetime import UTC, datetime, tzinfo

from django.utils import timezone

DAY = 86_400
_STEPS = ((60, 1, "s"), (3_600, 60, "min"), (DAY, 3_600, "h"))


def ago(at: datetime | None, now: datetime | None = None) -> str:
    """How long ago, in the largest whole unit: ``12 s ago``. Moments to come count as now. portal.js says the same."""
    if at is None:
        return "never"
    seconds = max(0, int(((now or timezone.now()) - at).total_seconds()))
    for limit, size, unit in _STEPS:
        if seconds < limit:
            return f"{seconds // size} {unit} ago"
    return f"{seconds // DAY} d ago"


def exact(at: datetime | None) -> str:
    """The moment in the person's zone, with date, seconds and zone: ``2026-11-23 08:15:02 UTC``; blank for None."""
    return _written(at, "%Y-%m-%d %H:%M:%S")


def precise(at: datetime | None, zone: tzinfo | None = None) -> str:
    """As ``exact``, and where the person's zone is not UTC its name and offset, and the same in UTC.

    Who writes many moments asks for ``timezone.get_current_timezone()`` once and gives it.
    """
    if at is None:
        return ""
    zone = zone or timezone.get_current_timezone()
    in_utc, name = f"{_seconds(at.astimezone(UTC))} UTC", str(zone)
    if name == "UTC":
        return in_utc
    here = at.astimezone(zone)
    return f"{_seconds(here)} ({name}, UTC{here.isoformat()[-6:]}) = {in_utc}"


def clock(at: datetime | None) -> str:
    """The time of day in the person's zone: ``08:15:02 UTC``."""
    return _written(at, "%H:%M:%S")


def day_and_time(at: datetime | None) -> str:
    """For sentences: ``23 November 2026, 08:15 UTC``."""
    return _written(at, "%-d %B %Y, %H:%M")


def iso(at: datetime | None) -> str:
    """The moment as a ``datetime`` attribute wants it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds") if at else ""


def _seconds(at: datetime) -> str:
    # A quarter of what strftime takes, and a page of rows asks for it once a row.
    return at.isoformat(" ", "seconds")[:19]


def _written(at: datetime | None, pattern: str) -> str:
    if at is None:
        return ""
    here = timezone.localtime(at)
    # Many zones have no letters of their own but an offset, which alone would be read as a number.
    name = here.tzname() or ""
    return f"{here.strftime(pattern)} {f'UTC{here.isoformat()[-6:]}' if name[:1] in '+-' else name}"
