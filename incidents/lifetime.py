"""When an incident was created, first touched and closed, as far as anybody can know.

Microsoft tells when an incident was created and when it was last changed, and keeps no history of its status. So the
store looks at each version as it comes in: the last update of the first version that says *resolved* is when it was
closed, that of the first which is taken (in progress, resolved, or assigned to somebody) when it was first touched.
Where the very first version that we saw was closed already, its last update is the latest that it can have been, and
``seen_open`` stays false. An incident that is opened again has no closing any more; a merged shell and a stub have
neither. All follows from the versions, so the same version stored twice changes nothing.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from incidents.models import Severity, Status

Cell = tuple[date, str]  # a day in UTC, a column of the table of days
TAKEN = frozenset({Status.IN_PROGRESS.value, Status.RESOLVED.value})


@dataclass(frozen=True, slots=True)
class Lifetime:
    """``seen_untouched`` and ``seen_open``: we held a version from before, so the moment is known, not a bound."""

    created_at: datetime | None = None
    first_touched_at: datetime | None = None
    closed_at: datetime | None = None
    seen_untouched: bool = False
    seen_open: bool = False

    def columns(self) -> dict[str, Any]:
        """As the incident's row has it."""
        return {
            "created_at": self.created_at,
            "first_touched_at": self.first_touched_at,
            "closed_at": self.closed_at,
            "seen_untouched": self.seen_untouched,
            "seen_open": self.seen_open,
        }


def lifetime_of(row: Mapping[str, Any], before: Lifetime | None) -> Lifetime:
    """The lifetime of an incident whose newest version is ``row``; ``before`` is what we held of it until now."""
    before = before or Lifetime()
    created = row["created_at"]
    if row["is_stub"] or row["status"] == Status.REDIRECTED:
        return Lifetime(created, None, None, before.seen_untouched, before.seen_open)
    # A last update before the creation is a clock that was wrong; nothing ends before it begins.
    at = max(row["updated_at"], created or row["updated_at"])
    is_closed = row["status"] == Status.RESOLVED
    is_touched = bool(row["status"] in TAKEN or row["assigned_to"])
    touched = _since(before.first_touched_at, at, created) if is_touched else before.first_touched_at
    return Lifetime(
        created_at=created,
        first_touched_at=touched,
        closed_at=_since(before.closed_at, at, created) if is_closed else None,
        seen_untouched=before.seen_untouched or touched is None,
        seen_open=before.seen_open or not is_closed,
    )


def cells_of(status: int, severity: int, life: Lifetime) -> Counter[Cell]:
    """Where the incident counts in the table of days."""
    if status == Status.REDIRECTED:
        return Counter()
    name = Severity(severity).name.lower()
    moments = ((life.created_at, f"opened_{name}"), (life.closed_at, f"closed_{name}"))
    found = Counter((_day(at), column) for at, column in moments if at)
    if life.first_touched_at:
        found[_day(life.first_touched_at), "touched"] += 1
    return found


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


def _since(earlier: datetime | None, at: datetime, created: datetime | None) -> datetime:
    """The earlier of both, for a date of ours may lie ahead of every clock; never before the creation."""
    since = min(earlier or at, at)
    return max(since, created or since)
