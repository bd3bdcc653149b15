"""Finding rows of the audit log: by tenant, person, action, outcome and days; page by page, or all as JSON Lines."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from audit.models import AuditEvent

PAGE: Final = 50
# By agreement what only looks begins with one of these words; everything else changes something.
LOOKING: Final = Q(action__startswith="read ") | Q(action__startswith="export ")
LOOKED, CHANGED = "looked", "changed"
# One index probe per action: SELECT DISTINCT would read the whole log.
_ACTIONS = """
WITH RECURSIVE known AS (
    (SELECT action FROM audit_auditevent ORDER BY action LIMIT 1)
    UNION ALL
    SELECT (SELECT e.action FROM audit_auditevent e WHERE e.action > known.action ORDER BY e.action LIMIT 1)
    FROM known WHERE known.action IS NOT NULL
) SELECT action FROM known WHERE action IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Search:
    """What to find; what is blank does not narrow. ``until`` is the last day that counts; days are in UTC."""

    tenant: UUID | None = None
    person: str = ""
    action: str = ""
    kind: str = ""
    outcome: str = ""
    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, newest first, and the number that the next page begins below, or None where this is the last."""

    rows: list[AuditEvent]
    older: int | None


def found(search: Search) -> QuerySet[AuditEvent]:
    """The rows that match, in no particular order."""
    rows = AuditEvent.objects.filter(**_equal(search))
    if search.person:
        rows = rows.filter(actor__icontains=search.person)
    if search.kind:
        rows = rows.filter(LOOKING) if search.kind == LOOKED else rows.exclude(LOOKING)
    if search.since:
        rows = rows.filter(at__gte=_midnight(search.since))
    if search.until and search.until < date.max:  # nothing comes after the last day there is
        rows = rows.filter(at__lt=_midnight(search.until) + timedelta(days=1))
    return rows


def page_of(search: Search, *, before: int | None = None, size: int = PAGE) -> Page:
    """One page, found by key, so that the last page costs no more than the first."""
    rows = found(search).order_by("-id")
    if before is not None:
        rows = rows.filter(id__lt=before)
    some = list(rows[: size + 1])
    return Page(some[:size], some[size - 1].pk if len(some) > size else None)


def lines_of(search: Search) -> Iterator[str]:
    """The rows as JSON Lines, oldest first: each the canonical object with ``prev`` and ``hash`` at its end.

    Whoever takes those two off again has the bytes that were hashed. Read through a cursor on the server.
    """
    with transaction.atomic():
        rows = found(search).order_by("id").values_list("canonical", "prev", "hash")
        for canonical, prev, hash_ in rows.iterator(chunk_size=2_000):
            yield f'{canonical[:-1]}, "prev": "{prev}", "hash": "{hash_}"}}\n'


def known_actions() -> list[str]:
    """Every action that the log speaks of."""
    with connection.cursor() as cursor:
        cursor.execute(_ACTIONS)
        return [action for (action,) in cursor.fetchall()]


def _equal(search: Search) -> dict[str, Any]:
    wanted = {"tenant": search.tenant, "action": search.action, "outcome": search.outcome}
    return {name: value for name, value in wanted.items() if value}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
