"""The table of days: kept by differences in the page's transaction, counted anew for repair and proof."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date

from django.db import connection

from incidents.lifetime import Cell
from incidents.models import Severity, Status

# In the order of the statements' columns.
NAMES = tuple(severity.name.lower() for severity in Severity)
COLUMNS = (*(f"opened_{name}" for name in NAMES), *(f"closed_{name}" for name in NAMES), "touched")
_LIST = ", ".join(COLUMNS)

# Days are taken in one order everywhere, so that two transactions that touch the same days cannot block each other.
_ADD = f"""
INSERT INTO incidents_daily AS mine (tenant_id, day, {_LIST})
SELECT %s, x.* FROM unnest(%s::date[]{", %s::integer[]" * len(COLUMNS)}) AS x(day, {_LIST}) ORDER BY x.day
ON CONFLICT (tenant_id, day) DO UPDATE SET {", ".join(f"{name} = mine.{name} + excluded.{name}" for name in COLUMNS)}
"""  # noqa: S608  only the constants above are pasted in
_COUNT = f"""
SELECT (created_at AT TIME ZONE 'UTC')::date, 'opened', severity, count(*) FROM incidents_incident
WHERE tenant_id = %(tenant)s AND status <> {Status.REDIRECTED.value} AND created_at IS NOT NULL GROUP BY 1, 3
UNION ALL
SELECT (closed_at AT TIME ZONE 'UTC')::date, 'closed', severity, count(*) FROM incidents_incident
WHERE tenant_id = %(tenant)s AND status <> {Status.REDIRECTED.value} AND closed_at IS NOT NULL GROUP BY 1, 3
UNION ALL
SELECT (first_touched_at AT TIME ZONE 'UTC')::date, 'touched', 0, count(*) FROM incidents_incident
WHERE tenant_id = %(tenant)s AND status <> {Status.REDIRECTED.value} AND first_touched_at IS NOT NULL GROUP BY 1
"""  # noqa: S608
_KEPT = f"SELECT day, {_LIST} FROM incidents_daily WHERE tenant_id = %s"  # noqa: S608


def add(*, tenant_id: int, difference: Mapping[Cell, int]) -> None:
    """Add to the tenant's days; nothing is written where nothing differs."""
    days: dict[date, dict[str, int]] = defaultdict(dict)
    for (day, column), n in difference.items():
        if n:
            days[day][column] = n
    if days:
        ordered = sorted(days)
        columns = [[days[day].get(column, 0) for day in ordered] for column in COLUMNS]
        with connection.cursor() as cursor:
            cursor.execute(_ADD, [tenant_id, ordered, *columns])


def counted(tenant_id: int) -> Counter[Cell]:
    """The same counts taken from the incidents themselves, for repair and proof."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"tenant": tenant_id})
        return Counter({(day, _column(kind, severity)): n for day, kind, severity, n in cursor.fetchall()})


def kept(tenant_id: int) -> Counter[Cell]:
    """The counts as kept, without empty ones."""
    with connection.cursor() as cursor:
        cursor.execute(_KEPT, [tenant_id])
        rows = cursor.fetchall()
    return Counter({(row[0], name): n for row in rows for name, n in zip(COLUMNS, row[1:], strict=True) if n})


def repair(*, tenant_id: int) -> bool:
    """Make the kept counts equal to the counted ones. Returns whether anything was wrong."""
    difference = counted(tenant_id)
    difference.subtract(kept(tenant_id))
    add(tenant_id=tenant_id, difference=difference)
    return any(difference.values())


def _column(kind: str, severity: int) -> str:
    return f"{kind}_{Severity(severity).name.lower()}" if severity else kind
