"""How many incidents stand behind each choice of a filter.

Tenant, status, severity and "nobody assigned" are exact: they are sums of the roll-up that the store keeps, over the
filters that the roll-up knows (tenants, status, severity, nobody). All others are counted while somebody looks at them,
among the newest COUNTED incidents that match every filter; where there are more, a count is a lower bound.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from defender.vocabulary import CLASSIFICATIONS, SERVICES
from incidents import rollup
from incidents.attack import techniques
from incidents.filters import KEY_OF_STATUS, ME, NOBODY, SEVERITIES, STATUS_OF, Filters, address_for, with_value
from incidents.freshness import TenantFreshness
from incidents.models import Severity
from incidents.queue_statements import held_keys, keys_statement
from incidents.selecting import select

COUNTED = 1_000  # ours
SHOWN = 12  # ours: choices of one facet
Bounds = Mapping[str, int]
_OPEN = frozenset({"active", "in-progress", "other"})
_Cell = tuple[str, str, bool, int]

_OF_TENANTS = "FROM incidents_rollup WHERE tenant_id = ANY(%(tenants)s::bigint[])"
# Of every open page, without and with how many each tenant has. Only the cells asked for are added up.
_SUMS = f"SELECT {{sums}} {_OF_TENANTS}"
_BOTH = f"SELECT {{sums}}, array_agg(tenant_id), array_agg({{total}}) {_OF_TENANTS}"
CELLS = _SUMS.format(sums=rollup.sums(rollup.CELLS))
# The incidents are found as for the queue's page; what hangs on them is read by their keys.
LIVE = """
WITH found AS MATERIALIZED (SELECT id, tenant_id, classification, coalesce(assigned_to, '') AS assigned_to
    FROM incidents_incident WHERE tenant_id = ANY(%(tenants)s::bigint[]) AND id = ANY(ARRAY({keys})))
SELECT 'total' AS kind, '' AS value, count(*) FROM found
UNION ALL SELECT 'classification', classification, count(*) FROM found GROUP BY 2
UNION ALL SELECT 'assignee', assigned_to, count(*) FROM found GROUP BY 2
UNION ALL SELECT 'tag', t.tag, count(*) FROM found JOIN incidents_incidenttag t
    ON t.tenant_id = found.tenant_id AND t.incident_id = found.id GROUP BY 2
UNION ALL SELECT 'technique', t.technique, count(*) FROM found JOIN incidents_incidenttechnique t
    ON t.tenant_id = found.tenant_id AND t.incident_id = found.id GROUP BY 2
UNION ALL SELECT 'service', a.service_source, count(DISTINCT a.incident_id) FROM found JOIN incidents_alert a
    ON a.tenant_id = found.tenant_id AND a.incident_id = found.id AND a.gone_at IS NULL GROUP BY 2
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """Exact counts of the chosen tenants. Each dimension is counted with the other filters in force, without its own.

    ``by_status`` has the keys of STATUSES, so that "open" and "all" are sums.
    """

    by_severity: dict[str, int]
    by_status: dict[str, int]
    unassigned: int


@dataclass(frozen=True, slots=True)
class OpenCounts:
    """What every page of the queue says of the chosen tenants, exact.

    ``by_severity`` looks at open incidents whatever the filters, ``unassigned`` at those within the filters' status and
    severity. ``by_tenant`` is slug → open incidents, or None where it was not counted along.
    """

    by_severity: dict[str, int]
    unassigned: int
    by_tenant: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a facet: ``count`` is a number for people, such as ``12`` or ``1,000+``."""

    value: str
    word: str
    count: str
    filters: Filters

    @property
    def url(self) -> str:
        """The queue with this choice."""
        return address_for(self.filters)


@dataclass(frozen=True, slots=True)
class Facet:
    """``hidden`` choices have lower counts than those shown."""

    name: str
    title: str
    choices: Sequence[Choice]
    hidden: int


@dataclass(frozen=True, slots=True)
class Live:
    """Facets counted now. ``is_capped`` where more than COUNTED incidents match, so that every count may be higher."""

    facets: Sequence[Facet] = field(default_factory=tuple)
    total: str = "0"
    is_capped: bool = False


def counts_for(filters: Filters, tenants: Sequence[TenantFreshness]) -> Counts:
    """One query over one row per tenant."""
    (row,) = select(CELLS, {"tenants": [tenant.id for tenant in tenants]})
    cells = _cells(rollup.CELLS, row[0])
    severity, status, opened = dict.fromkeys(SEVERITIES, 0), dict.fromkeys(KEY_OF_STATUS.values(), 0), 0
    for of_status, of_severity, unassigned, n in cells:
        in_status = of_status in _statuses(filters.status)
        in_severity = not filters.severities or of_severity in filters.severities
        in_assignee = filters.assignee != NOBODY or unassigned
        severity[of_severity] += n if in_status and in_assignee else 0
        status[of_status] += n if in_severity and in_assignee else 0
        opened += n if in_status and in_severity and unassigned else 0
    status["open"] = sum(status[key] for key in _OPEN)
    status["all"] = status["open"] + status["resolved"]
    return Counts(severity, status, opened)


def open_counts(filters: Filters, tenants: Sequence[TenantFreshness], *, by_tenant: bool = False) -> OpenCounts:
    """One query. ``by_tenant`` counts tenants along where the filters look at open incidents alone."""
    wanted = _statuses(filters.status)
    ids, of_tenants = [tenant.id for tenant in tenants], None
    looked_at = rollup.cells_with(statuses={STATUS_OF[key].value for key in _OPEN | wanted})
    (row,) = select(sums_statement(looked_at, by_tenant=by_tenant and wanted <= _OPEN), {"tenants": ids})
    if len(row) > 1:
        of_tenants = _by_slug(tenants, zip(row[1] or (), row[2] or (), strict=True))
    cells = _cells(looked_at, row[0])
    severity, nobodys = dict.fromkeys(SEVERITIES, 0), 0
    for of_status, of_severity, unassigned, n in cells:
        in_severity = not filters.severities or of_severity in filters.severities
        severity[of_severity] += n if of_status in _OPEN else 0
        nobodys += n if of_status in wanted and in_severity and unassigned else 0
    return OpenCounts(severity, nobodys, of_tenants)


def sums_statement(cells: Iterable[rollup.Cell], *, by_tenant: bool) -> str:
    """The sums of these cells; with ``by_tenant`` the tenants and what each has in all of them, from the same look."""
    listed = list(cells)
    return (_BOTH if by_tenant else _SUMS).format(sums=rollup.sums(listed), total=rollup.total(listed))


def _cells(cells: Iterable[rollup.Cell], counts: Sequence[int | None]) -> list[_Cell]:
    return [
        (KEY_OF_STATUS[status], Severity(severity).name.lower(), unassigned, n or 0)
        for (status, severity, unassigned), n in zip(cells, counts, strict=True)
    ]


def _statuses(status: str) -> frozenset[str]:
    return {"open": _OPEN, "all": _OPEN | {"resolved"}}.get(status, frozenset({status}))


def open_by_tenant(tenants: Sequence[TenantFreshness]) -> dict[str, int]:
    """slug → open incidents, exact."""
    return _by_slug(tenants, select(rollup.OPEN_OF_TENANTS, {"tenants": [tenant.id for tenant in tenants]}))


def _by_slug(tenants: Sequence[TenantFreshness], found: Iterable[tuple[Any, ...]]) -> dict[str, int]:
    by_id = {tenant_id: int(n) for tenant_id, n in found}
    return {tenant.slug: by_id.get(tenant.id, 0) for tenant in tenants}


def live_facets(filters: Filters, tenants: Sequence[TenantFreshness], *, exactly: bool, bounds: Bounds) -> Live:
    """What can be chosen next within the filters in force, most frequent first. One query of bounded cost.

    ``exactly`` says whether the queue finds what is asked for by exact values, ``bounds`` are the queue's own.
    """
    if not tenants:
        return Live()
    parameters = {"tenants": [tenant.id for tenant in tenants], "limit": COUNTED + 1, **bounds}
    keys = (held_keys if exactly else keys_statement)(filters, None, parameters)
    counted: dict[str, Counter[str]] = {}
    for kind, value, n in select(LIVE.format(keys=keys), parameters):
        counted.setdefault(kind, Counter())[value] += int(n)
    total = counted.get("total", Counter())[""]
    is_capped = total > COUNTED
    facets = [_facet(name, title, counted.get(name, Counter()), filters, is_capped) for name, title in TITLES.items()]
    return Live([facet for facet in facets if facet.choices], _number(min(total, COUNTED), is_capped), is_capped)


def _facet(name: str, title: str, counted: Counter[str], filters: Filters, is_capped: bool) -> Facet:
    merged: Counter[str] = Counter()
    for value, n in counted.items():
        merged[_same(name, value)] += n
    best = sorted(merged.items(), key=lambda pair: (-pair[1], pair[0]))
    choices = [
        Choice(value, WORDS[name](value), _number(n, is_capped), with_value(filters, name, value))
        for value, n in best[:SHOWN]
        if value
    ]
    return Facet(name, title, choices, max(0, len(best) - SHOWN))


def _number(n: int, is_capped: bool) -> str:
    return f"{min(n, COUNTED):,}{'+' if is_capped else ''}"


def _same(name: str, value: str) -> str:
    """One value for what the filters hold to be the same."""
    if name == "classification":
        return value or "Unknown"
    if name == "assignee":
        return value or NOBODY
    if name == "service":
        product = SERVICES.get(value)
        return next((word for word, known in SERVICES.items() if known == product), value) if product else value
    return value


def _technique(value: str) -> str:
    known = techniques().get(value.upper())
    return f"{value} {known.name}" if known else value


WORDS: dict[str, Callable[[str], str]] = {
    "assignee": lambda value: "Nobody" if value == NOBODY else "Me" if value == ME else value,
    "classification": lambda value: CLASSIFICATIONS.get(value, value),
    "service": lambda value: SERVICES.get(value, value),
    "technique": _technique,
    "tag": str,
}
TITLES = {
    "assignee": "Assigned to",
    "classification": "Classification",
    "service": "Source",
    "technique": "Technique",
    "tag": "Tag",
}
