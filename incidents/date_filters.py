"""Days in the queue's address: created, first touched or closed from a day to a day, or open at the end of one.

A day is one of UTC and written as ``2026-11-26``; both ends are included. What is no day is left aside, as everything
in the address is that means nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.http import QueryDict

Dates = tuple[tuple[str, date], ...]
# In the order of the address, with the words of the chip.
NAMES: Mapping[str, str] = {
    "created_from": "Created from",
    "created_to": "Created until",
    "touched_from": "First touched from",
    "touched_to": "First touched until",
    "closed_from": "Closed from",
    "closed_to": "Closed until",
    "open_on": "Open at the end of",
}
# Written so that each follows an index on the moment; what has no moment of creation has always been there.
_CONDITIONS: Mapping[str, str] = {
    "created_from": "q.created_at >= %(created_from)s",
    "created_to": "q.created_at < %(created_to)s",
    "touched_from": "q.first_touched_at >= %(touched_from)s",
    "touched_to": "q.first_touched_at < %(touched_to)s",
    "closed_from": "q.closed_at >= %(closed_from)s",
    "closed_to": "q.closed_at < %(closed_to)s",
    "open_on": "(q.created_at IS NULL OR q.created_at < %(open_on)s) AND (q.is_open OR q.closed_at >= %(open_on)s)",
}
YEARS = range(1970, 3000)  # ours
FEW = 7  # days; ours


def read_dates(query: QueryDict) -> Dates:
    """The days in an address, in the order of NAMES."""
    found = ((name, _day(query.get(name, ""))) for name in NAMES)
    return tuple((name, day) for name, day in found if day)


def pairs_of(dates: Dates) -> list[tuple[str, str]]:
    """The days as an address has them."""
    return [(name, day.isoformat()) for name, day in dates]


def conditions(dates: Dates, parameters: dict[str, Any]) -> Iterator[str]:
    """What the days ask of an incident ``q``; adds the moments to ``parameters``."""
    for name, day in dates:
        parameters[name] = midnight(day if name.endswith("_from") else day + timedelta(days=1))
        yield _CONDITIONS[name]


def are_few(dates: Dates) -> bool:
    """Whether it pays to find all that lies within the days before it is put in order.

    So it is for few days, and for what was open long ago, of which the newest incidents hold next to nothing.
    """
    named = dict(dates)
    if (open_on := named.get("open_on")) and open_on < datetime.now(UTC).date() - timedelta(days=FEW):
        return True
    windows = [(named.get(f"{what}_from"), named.get(f"{what}_to")) for what in ("created", "touched", "closed")]
    return any(first and last and (last - first).days < FEW for first, last in windows)


def midnight(day: date) -> datetime:
    """When the day begins."""
    return datetime.combine(day, time.min, UTC)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year in YEARS else None
