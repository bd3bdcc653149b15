"""Counts per tenant, status, severity and whether nobody is assigned: kept by differences in the page's transaction."""

from collections import Counter
from collections.abc import Mapping

from django.db import connection

Cell = tuple[int, int, bool]  # status, severity, unassigned

# Cells are taken in one order everywhere, so that two transactions that touch the same cells cannot block each other.
_ADD = """
INSERT INTO incidents_rollup AS mine (tenant_id, status, severity, unassigned, n)
SELECT %s, x.status, x.severity, x.unassigned, x.n
FROM unnest(%s::smallint[], %s::smallint[], %s::boolean[], %s::bigint[]) AS x(status, severity, unassigned, n)
ORDER BY x.status, x.severity, x.unassigned
ON CONFLICT (tenant_id, status, severity, unassigned) DO UPDATE SET n = mine.n + excluded.n
"""

_COUNT = """
SELECT status, severity, assigned_to IS NULL, count(*) FROM incidents_incident WHERE tenant_id = %s GROUP BY 1, 2, 3
"""


def add(*, tenant_id: int, difference: Mapping[Cell, int]) -> None:
    """Add to the tenant's cells; cells whose difference is zero are not touched."""
    cells = [(*cell, n) for cell, n in sorted(difference.items()) if n]
    if cells:
        with connection.cursor() as cursor:
            cursor.execute(_ADD, [tenant_id, *(list(column) for column in zip(*cells, strict=True))])


def counted(tenant_id: int) -> Counter[Cell]:
    """The same counts taken from the incidents themselves, for repair and proof."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [tenant_id])
        return Counter({(status, severity, unassigned): n for status, severity, unassigned, n in cursor.fetchall()})


def kept(tenant_id: int) -> Counter[Cell]:
    """The counts as kept, without empty cells."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT status, severity, unassigned, n FROM incidents_rollup WHERE tenant_id = %s AND n <> 0", [tenant_id]
        )
        return Counter({(status, severity, unassigned): n for status, severity, unassigned, n in cursor.fetchall()})


def repair(*, tenant_id: int) -> bool:
    """Make the kept counts equal to the counted ones. Returns whether anything was wrong."""
    difference = counted(tenant_id)
    difference.subtract(kept(tenant_id))
    add(tenant_id=tenant_id, difference=difference)
    return any(difference.values())
