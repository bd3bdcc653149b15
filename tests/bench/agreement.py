"""Whether two methods left the same in the tables, and whether anything was written at all."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import psycopg
from django.db import connection

from incidents.models import Alert, Evidence, Incident
from tenants import scope
from tenants.models import Tenant

Rows = dict[str, set[tuple[Any, ...]]]


class Wrong(Exception):
    """Two methods do not hold the same, or something was written that should not have been."""


def held(tenant: Tenant, numbers: Iterable[int]) -> Rows:
    """What stands under these incidents: rows of each kind by what makes them themselves, and by what changes."""
    wanted = list(numbers)
    with scope.tenant(tenant.pk):
        incidents = Incident.objects.filter(number__in=wanted)
        alerts = Alert.objects.filter(incident__number__in=wanted)
        evidence = Evidence.objects.filter(alert__incident__number__in=wanted)
        return {
            "incident": _plain(incidents.values_list("number", "updated_text", "status", "assigned_to", "content_hash")),
            "alert": _plain(alerts.values_list("incident__number", "alert_id", "status", "content_hash")),
            "evidence": _plain(evidence.values_list("alert__alert_id", "key", "kind", "value", "verdict")),
        }


def agree(one: Tenant, other: Tenant, pages: Sequence[Sequence[bytes]], *, who: str) -> None:
    """Both hold every incident of these pages, and the same of each. Raises Wrong."""
    numbers = {msgspec.json.decode(item)["incidentId"] for page in pages for item in page}
    mine, theirs = held(one, numbers), held(other, numbers)
    if len(mine["incident"]) != len(numbers):
        raise Wrong(f"Of {len(numbers)} incidents, ours holds {len(mine['incident'])}.")
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


def _plain(rows: Iterable[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    """Bytes as bytes, whatever the driver hands out."""
    return {tuple(bytes(value) if isinstance(value, memoryview) else value for value in row) for row in rows}
