"""The counts beside the list: from the roll-up, exact, against counting the incidents themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from incidents import facets
from incidents.facets import counts_for, open_by_tenant
from incidents.filters import SEVERITIES, Filters
from incidents.queue import queue_page
from incidents.rollup import CELLS, OPEN, cells_with
from tenants import scope
from tests.bench.agreement import Wrong
from tests.bench.measuring import Goal, ratios
from tests.bench.reads.people import Administrator, Asked, Reader, overheard
from tests.bench.reads.sampling import Turn, in_turns, timed

_MINE = "FROM incidents_incident WHERE tenant_id = ANY(%(tenants)s::bigint[])"
LIVE_ALL = f"SELECT status, severity, assigned_to IS NULL, count(*) {_MINE} GROUP BY 1, 2, 3"
LIVE_OPEN = f"SELECT status, severity, assigned_to IS NULL, count(*) {_MINE} AND is_open GROUP BY 1, 2, 3"
LIVE_BY_TENANT = f"SELECT tenant_id, severity, count(*) {_MINE} AND is_open GROUP BY 1, 2"
COUNTED = (
    "SELECT tenant_id, status, severity, assigned_to IS NULL, count(*) FROM incidents_incident GROUP BY 1, 2, 3, 4"
)
KEPT = "SELECT tenant_id, cells FROM incidents_rollup"
ASKS, LIVE_ASKS = 12, 2


def run(
    readers: Mapping[int, Sequence[Reader]], administrator: Administrator, *, rounds: int
) -> tuple[list[Goal], dict[str, Any]]:
    """All of it. Raises Wrong where a count on the page is not what counting gives."""
    are_exact(administrator)
    ways: dict[str, Turn] = {}
    for count, (reader, *_) in readers.items():
        says_the_same(reader, administrator)
        ways |= _ways(count, reader, administrator)
    found = in_turns(ways, rounds=rounds)
    goals = []
    for count in readers:
        live = ratios(found.medians(f"counting all of {count}"), found.medians(f"roll-up of {count}"))
        goals.append(Goal(f"counts of {count} tenants, faster than counting all", live, 300))
        live = ratios(found.medians(f"counting open of {count}"), found.medians(f"open of the roll-up of {count}"))
        goals.append(Goal(f"counts of {count} tenants, faster than counting open ones", live, 15))
    return goals, found.told()


def are_exact(administrator: Administrator) -> None:
    """Every cell of the roll-up is what counting gives. Raises Wrong."""
    rows, counted = administrator.ask(KEPT), sorted(administrator.ask(COUNTED))
    kept = sorted((tenant, *cell, n) for tenant, cells in rows for cell, n in zip(CELLS, cells, strict=True) if n)
    if kept != counted:
        raise Wrong(f"The roll-up has {len(set(kept) - set(counted))} cells that counting does not give.")


def says_the_same(reader: Reader, administrator: Administrator) -> None:
    """What the page says of open incidents, by severity and by tenant. Raises Wrong."""
    live = administrator.ask(LIVE_BY_TENANT, {"tenants": list(reader.tenants)})
    names = {severity.value: key for key, severity in SEVERITIES.items()}
    by_severity, by_tenant = Counter[str](), Counter[int]()
    for tenant, severity, n in live:
        by_severity[names[severity]] += n
        by_tenant[tenant] += n
    with scope.person(reader.user):
        page = queue_page(reader.user, Filters())
        open_by_slug = open_by_tenant(page.tenants)
    of_tenant = {tenant.id: open_by_slug[tenant.slug] for tenant in page.tenants}
    if Counter(page.open_by_severity) != by_severity or Counter(of_tenant) != by_tenant:
        raise Wrong(f"The page of {reader.user} does not say how many incidents are open.")


def _ways(count: int, reader: Reader, administrator: Administrator) -> dict[str, Turn]:
    mine = {"tenants": list(reader.tenants)}
    every, opened = _asked(reader)
    return {
        f"roll-up of {count}": lambda: _kept(reader, every),
        f"open of the roll-up of {count}": lambda: _kept(reader, opened),
        f"counting all of {count}": lambda: timed(lambda _: administrator.ask(LIVE_ALL, mine), LIVE_ASKS),
        f"counting open of {count}": lambda: timed(lambda _: administrator.ask(LIVE_OPEN, mine), LIVE_ASKS),
    }


def _asked(reader: Reader) -> tuple[Asked, Asked]:
    """Sums by status, severity and whether nobody is assigned, as the portal asks for them: of all incidents for the
    panel of filters, of open ones for the page itself.
    """
    with scope.person(reader.user), overheard() as heard:
        counts_for(Filters(), queue_page(reader.user, Filters()).chosen)
    sums = facets.sums_statement(cells_with(statuses=OPEN), by_tenant=False)
    every, opened = ([asked for asked in heard if asked[0] == statement] for statement in (facets.CELLS, sums))
    return every[0], opened[0]


def _kept(reader: Reader, asked: Asked) -> list[float]:
    from django.db import connection

    with scope.person(reader.user), connection.cursor() as cursor:
        return timed(lambda _: (cursor.execute(*asked), cursor.fetchall()), ASKS)
