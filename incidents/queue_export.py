"""The queue's incidents as a file, in its order: JSON Lines or CSV, streamed.

A file may take minutes, so it is read in pieces, each in a transaction and a scope of its own: memory is bounded, no
transaction stays open while somebody's line is slow, and every piece is asked for with the rights of that moment. What
is not one's own any more is left out from the next piece on; where whoever asked may not go on at all, the file breaks
off, so that nobody takes it for a whole one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import msgspec
from django.utils import timezone

from accounts.models import User
from incidents.cursor import Place
from incidents.export import fields_of
from incidents.filters import Filters
from incidents.freshness import tenants_for
from incidents.queue import bounds, chosen_tenants, is_found_exactly, resolved
from incidents.queue_statements import held_statement, rows_statement
from incidents.selecting import select
from incidents.spreadsheet import COLUMNS, heading, row_of
from tenants import scope

PIECE: Final = 200
# Ours: more than this is taken away only by somebody who has just proved who they are.
LARGE: Final = 500
FORMATS: Final = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}
_COLUMNS: Final = ("tenant", *COLUMNS)
# In the columns of ``incidents.export``, without what Microsoft sent: one incident may have 16 MB of that.
_DETAILS: Final = """
SELECT i.id, t.slug, t.entra_id::text, i.number, i.updated_text, i.remote_status, i.remote_severity, i.name,
    i.assigned_to, i.classification, i.determination, i.redirect_number,
    ARRAY(SELECT g.tag FROM incidents_incidenttag g
        WHERE g.tenant_id = i.tenant_id AND g.incident_id = i.id ORDER BY g.id),
    ARRAY(SELECT a.alert_id FROM incidents_alert a
        WHERE a.tenant_id = i.tenant_id AND a.incident_id = i.id AND a.gone_at IS NULL ORDER BY a.id),
    i.is_stub
FROM incidents_incident i JOIN tenants_tenant t ON t.id = i.tenant_id
WHERE i.tenant_id = ANY(%(tenants)s::bigint[]) AND i.id = ANY(%(ids)s::bigint[])
ORDER BY i.updated_at DESC, i.id DESC
"""


class BrokenOff(Exception):
    """Whoever asked may not go on: the connection ends before the file does."""


def file_of(
    user: User, filters: Filters, form: str, *, only: Callable[[], frozenset[int] | None] = lambda: None,
    may_go_on: Callable[[], bool] = lambda: True,
) -> Iterator[str]:  # fmt: skip
    """The file's lines, ``form`` of FORMATS. Opens its own scopes: iterate outside any. Raises BrokenOff.

    ``only`` gives the ids of the tenants that the scope is narrowed to, None for all; asked for every piece.
    """
    if form == "csv":
        yield heading(_COLUMNS) + "\r\n"
    place: Place | None = None
    while True:
        if not (User.objects.filter(pk=user.pk, is_active=True).exists() and may_go_on()):
            raise BrokenOff("The person or the token may not go on.")
        lines, place = _piece(user, filters, place, only())
        yield from ((f"{row_of(line, _COLUMNS)}\r\n" if form == "csv" else f"{line}\n") for line in lines)
        if place is None:
            return


def is_large(user: User, filters: Filters) -> bool:
    """Whether the file has more than LARGE incidents. Opens its own scope."""
    with scope.person(user):
        return len(_keys(user, filters, None, LARGE + 1, timezone.now())[0]) > LARGE


def _piece(
    user: User, filters: Filters, place: Place | None, only: frozenset[int] | None
) -> tuple[list[str], Place | None]:
    """The lines after ``place``, and the place after them; None where these were the last."""
    with scope.person(user, only=only):
        keys, tenants = _keys(user, filters, place, PIECE, timezone.now())
        details = select(_DETAILS, {"tenants": tenants, "ids": [key for key, _ in keys]}) if keys else []
    last = keys[-1] if len(keys) == PIECE else None
    return [_line(row) for row in details], (last[1], last[0]) if last else None


def _keys(
    user: User, filters: Filters, place: Place | None, limit: int, now: datetime
) -> tuple[list[tuple[int, datetime]], list[int]]:
    """(key, updated_at) of the next incidents, and the tenants they were looked for in."""
    chosen, _ = chosen_tenants(user, filters, tenants_for(user, now))
    if not chosen:
        return [], []
    asked, tenants = resolved(user, filters, chosen), [tenant.id for tenant in chosen]
    parameters: dict[str, Any] = {"tenants": tenants, "limit": limit, **bounds()}
    rows = (held_statement if is_found_exactly(asked, tenants) else rows_statement)(asked, place, parameters)
    found = select(f"SELECT r.id, r.updated_at FROM ({rows}) r ORDER BY 2 DESC, 1 DESC", parameters)  # noqa: S608
    return [(key, at) for key, at in found], tenants


def _line(row: tuple[Any, ...]) -> str:
    _, slug, tenant_id, *told, is_stub = row
    fields = {"tenant": slug, "tenant_id": tenant_id, **fields_of(told)}
    if is_stub:
        fields["quarantined"] = "unreadable"
    return msgspec.json.encode(fields).decode()
