"""Counts per tenant, status, severity and whether nobody is assigned: kept by differences in the page's transaction.

A tenant has one row, and its cells are one array: whoever may see a thousand tenants reads a thousand rows, and not
thirty times as many.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from django.db import connection

from incidents.models import Severity, Status

Cell = tuple[int, int, bool]  # status, severity, unassigned

OPEN: Final = (Status.ACTIVE.value, Status.IN_PROGRESS.value, Status.OTHER.value)
# In the order of the array. Others come at the end, with a migration that makes every row's array as long.
CELLS: Final[tuple[Cell, ...]] = tuple(
    (status, severity.value, unassigned)
    for status in (*OPEN, Status.RESOLVED.value, Status.REDIRECTED.value)
    for severity in Severity
    for unassigned in (False, True)
)
_PLACES: Final = {cell: place for place, cell in enumerate(CELLS, 1)}  # PostgreSQL counts from one

_ADD = """
INSERT INTO incidents_rollup AS mine (tenant_id, cells) VALUES (%s, %s::integer[])
ON CONFLICT (tenant_id) DO UPDATE SET cells = ARRAY(
    SELECT coalesce(x.n, 0) + coalesce(x.more, 0)
    FROM unnest(mine.cells, excluded.cells) WITH ORDINALITY AS x(n, more, place) ORDER BY x.place)
"""

_COUNT = """
SELECT status, severity, assigned_to IS NULL, count(*) FROM incidents_incident WHERE tenant_id = %s GROUP BY 1, 2, 3
"""


def cells_with(
    *, statuses: Collection[int], severity: int | None = None, unassigned: bool | None = None
) -> tuple[Cell, ...]:
    """The cells of these statuses, in the array's order; of one severity and one kind of assignment where told."""
    return tuple(
        cell for cell in CELLS if cell[0] in statuses and severity in {None, cell[1]} and unassigned in {None, cell[2]}
    )


def sums(cells: Iterable[Cell]) -> str:
    """SQL: an array with the sum of each cell over all rows; NULL where there are none."""
    return f"ARRAY[{', '.join(f'sum(cells[{_PLACES[cell]}])' for cell in cells)}]::bigint[]"


def total(cells: Iterable[Cell]) -> str:
    """SQL: these cells of one row, added up."""
    return " + ".join(f"cells[{_PLACES[cell]}]" for cell in cells)


OPEN_OF_TENANTS = f"""
SELECT tenant_id, {total(cells_with(statuses=OPEN))} FROM incidents_rollup WHERE tenant_id = ANY(%(tenants)s::bigint[])
"""  # noqa: S608  made of the constants above


def add(*, tenant_id: int, difference: Mapping[Cell, int]) -> None:
    """Add to the tenant's cells; nothing is written where nothing differs."""
    if any(difference.values()):
        with connection.cursor() as cursor:
            cursor.execute(_ADD, [tenant_id, array_of(difference)])


def array_of(difference: Mapping[Cell, int]) -> list[int]:
    """As it is kept. A status or severity that there is no cell for counts as other or unknown."""
    array = [0] * len(CELLS)
    for cell, n in difference.items():
        array[_PLACES[_known(cell)] - 1] += n
    return array


def _known(cell: Cell) -> Cell:
    if cell in _PLACES:
        return cell
    status, severity, unassigned = cell
    return (
        status if status in Status.values else Status.OTHER.value,
        severity if severity in Severity.values else Severity.UNKNOWN.value,
        unassigned,
    )


def counted(tenant_id: int) -> Counter[Cell]:
    """The same counts taken from the incidents themselves, for repair and proof."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, [tenant_id])
        found: Counter[Cell] = Counter()
        for status, severity, unassigned, n in cursor.fetchall():
            found[_known((status, severity, unassigned))] += n
        return found


def kept(tenant_id: int) -> Counter[Cell]:
    """The counts as kept, without empty cells."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT cells FROM incidents_rollup WHERE tenant_id = %s", [tenant_id])
        row: Sequence[Sequence[int]] | None = cursor.fetchone()
        return Counter({cell: n for cell, n in zip(CELLS, row[0] if row else (), strict=False) if n})


def repair(*, tenant_id: int) -> bool:
    """Make the kept counts equal to the counted ones. Returns whether anything was wrong."""
    difference = counted(tenant_id)
    difference.subtract(kept(tenant_id))
    add(tenant_id=tenant_id, difference=difference)
    return any(difference.values())
