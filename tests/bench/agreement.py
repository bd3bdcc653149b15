"""Whether two methods left the same in the tables, and whether anything was written at all."""

from collections.abc import Sequence, Set
from typing import Any

import msgspec
import psycopg
from django.db import connection

from tenants.models import Tenant

Rows = dict[str, set[tuple[Any, ...]]]
_INCIDENTS = "incidents_incident i WHERE i.tenant_id = %(tenant)s"
_ALERTS = "incidents_alert a JOIN incidents_incident i ON i.id = a.incident_id WHERE a.tenant_id = %(tenant)s"
_EVIDENCE = (
    "incidents_evidence e JOIN incidents_alert a ON a.id = e.alert_id JOIN incidents_incident i ON i.id = a.incident_id"
    " WHERE e.tenant_id = %(tenant)s"
)
# Rows by what makes them themselves and by what changes; the incident's number comes first.
_HELD = {
    "incident": f"SELECT i.number, i.updated_text, i.status, i.assigned_to, i.content_hash FROM {_INCIDENTS}",  # noqa: S608
    "alert": f"SELECT i.number, a.alert_id, a.status, a.content_hash FROM {_ALERTS}",  # noqa: S608
    "evidence": f"SELECT i.number, a.alert_id, e.key, e.kind, e.value, e.verdict FROM {_EVIDENCE}",  # noqa: S608
}


class Wrong(Exception):
    """Two methods do not hold the same, or something was written that should not have been."""


def held(administrator: "psycopg.Connection[Any]", tenant: Tenant, numbers: Set[int]) -> Rows:
    """What a tenant has of these incidents."""
    with administrator.transaction():
        administrator.execute("SET LOCAL enable_nestloop = off")
        return {
            kind: {row for row in administrator.execute(query, {"tenant": tenant.pk}) if row[0] in numbers}
            for kind, query in _HELD.items()
        }


def agree(
    administrator: "psycopg.Connection[Any]", one: Tenant, other: Tenant, pages: Sequence[Sequence[bytes]], *, who: str
) -> None:
    """Both hold every incident of these pages, and the same of each. Raises Wrong."""
    numbers = {msgspec.json.decode(item)["incidentId"] for page in pages for item in page}
    compare(held(administrator, one, numbers), held(administrator, other, numbers), of=len(numbers), who=who)


def compare(mine: Rows, theirs: Rows, *, of: int, who: str) -> None:
    """Raises Wrong unless both have the same rows, and so many incidents."""
    if len(mine["incident"]) != of:
        raise Wrong(f"Of {of} incidents, ours holds {len(mine['incident'])}.")
    for kind, rows in mine.items():
        if rows != theirs[kind]:
            missing, more = len(rows - theirs[kind]), len(theirs[kind] - rows)
            raise Wrong(f"{who} differs from ours in {kind}: lacks {missing} of {len(rows)} rows, has {more} others.")


def written(administrator: "psycopg.Connection[Any]") -> int:
    """Rows inserted, updated and deleted so far, over all tables of incidents.

    A backend tells its counts late, each one only its own: so both connections are asked to tell them now.
    """
    for cursor in (connection.cursor(), administrator.cursor()):
        with cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")
    row = administrator.execute(
        "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables WHERE relname LIKE 'incidents\\_%'"
    ).fetchone()
    return int(row[0]) if row else 0
