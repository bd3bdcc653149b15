"""The analysts' list over all their tenants, as one planned query.

Everything else on the page comes from small tables: counts from the roll-up that the store keeps, freshness from one
row per tenant. Nothing here counts incidents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from django.db import connection
from django.utils import timezone

from accounts.models import User
from incidents.cursor import Place, seal, unseal
from incidents.filters import KEY_OF_STATUS, NOBODY, SEVERITIES, STATUS_OF, Filters, query_for
from incidents.freshness import Freshness, TenantFreshness, freshness_of, tenants_for
from incidents.models import Severity, Status
from tenants import scope

PAGE = 50
# Ours. Words are looked for in this many incidents, newest first; beyond that the page says so and asks for a narrower
# question, since row-level security keeps PostgreSQL from using a text index.
SEARCHED = 20_000

# The queue's query. The inner select finds fifty keys in the index alone and never touches the table: it is narrowed by
# an explicit list of tenants, because only then does the planner choose between the index over everything (many
# tenants) and the one by tenant and severity (few); and `is_open` stands there literally, because a partial index is
# used only where the predicate can be proved from the text of the statement. Django binds parameters on the client's
# side, so every run is planned for its own lists. The outer select fetches fifty rows by primary key.
ROWS = """
SELECT i.id, i.tenant_id, i.number, i.name, i.status, i.remote_status, i.severity, i.remote_severity, i.assigned_to,
       i.alert_count, i.host, i.account, i.updated_at, i.changed_at, i.redirect_number, i.is_stub, i.cleaned, i.gone_at
FROM incidents_incident i
WHERE i.tenant_id = ANY(%(tenants)s) AND i.id = ANY(ARRAY({keys}))
ORDER BY i.updated_at DESC, i.id DESC
"""
KEYS = """
SELECT q.id FROM incidents_incident q
WHERE q.tenant_id = ANY(%(tenants)s){narrow} ORDER BY q.updated_at DESC, q.id DESC LIMIT %(limit)s
"""
# Words: first a fence of the newest keys, then their search text; without the fence a rare word would walk every row.
# A row without search text, such as a stub, can still be found by its number.
KEYS_WITH_WORDS = """
WITH fence AS MATERIALIZED (
    SELECT q.id, q.number, q.updated_at FROM incidents_incident q
    WHERE q.tenant_id = ANY(%(tenants)s){narrow} ORDER BY q.updated_at DESC, q.id DESC LIMIT %(searched)s)
SELECT f.id FROM fence f LEFT JOIN incidents_incidentsearch s ON s.incident_id = f.id AND s.tenant_id = ANY(%(tenants)s)
WHERE {words} ORDER BY f.updated_at DESC, f.id DESC LIMIT %(limit)s
"""
COUNTS = """
SELECT tenant_id, severity, sum(n) FROM incidents_rollup
WHERE tenant_id = ANY(%(tenants)s) AND status <> ALL(%(closed)s) GROUP BY tenant_id, severity
"""
MERGED = """
SELECT tenant_id, redirect_number, count(*) FROM incidents_incident
WHERE redirect_number IS NOT NULL AND tenant_id = ANY(%(tenants)s) AND redirect_number = ANY(%(numbers)s)
GROUP BY tenant_id, redirect_number
"""
# Names for the filter: who holds the newest open incidents. A name that is not among them can still be typed.
ASSIGNEES = """
SELECT DISTINCT newest.assigned_to FROM (
    SELECT q.assigned_to FROM incidents_incident q
    WHERE q.tenant_id = ANY(%(tenants)s) AND q.is_open ORDER BY q.updated_at DESC, q.id DESC LIMIT 500) newest
WHERE newest.assigned_to <> '' ORDER BY 1 LIMIT 100
"""


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One line of the queue. Text is as Microsoft sent it: only ever shown through the ``shown`` filter."""

    id: int
    tenant: TenantFreshness
    number: int
    name: str
    status: str
    status_word: str
    severity: str
    severity_word: str
    assigned_to: str
    alert_count: int
    host: str
    account: str
    updated_at: datetime
    changed_at: datetime
    redirect_number: int | None
    is_stub: bool
    cleaned: bool
    is_gone: bool
    merged_from: int

    @property
    def key(self) -> str:
        """Names the row on the page, by tenant and number."""
        return f"{self.tenant.slug}-{self.number}"


@dataclass(frozen=True, slots=True)
class QueuePage:
    """What the queue shows.

    ``tenants`` are all the person's; ``unavailable`` counts slugs in the filter that are not among them.
    ``open_by_severity`` and ``open_total`` are of the tenants in the filter; ``open_by_tenant`` (by slug) of all.
    ``older`` is the cursor of the next page or blank. ``version`` changes when anything on the page does, other than
    the passing of time.
    """

    filters: Filters
    rows: Sequence[QueueRow]
    tenants: Sequence[TenantFreshness]
    unavailable: int
    open_by_severity: dict[str, int]
    open_by_tenant: dict[str, int]
    older: str
    is_first: bool
    freshness: Freshness
    version: str

    @property
    def open_total(self) -> int:
        """Open incidents of the tenants in the filter."""
        return sum(self.open_by_severity.values())


def queue_page(user: User, filters: Filters, cursor: str = "", *, now: datetime | None = None) -> QueuePage:
    """One page of at most PAGE rows, newest first. An unknown, stale or foreign cursor is the first page."""
    tenants = tenants_for(user, now or timezone.now())
    chosen = [tenant for tenant in tenants if tenant.slug in filters.tenants] if filters.tenants else tenants
    query = query_for(filters)
    place = unseal(cursor, user_id=user.pk, query=query)
    rows = _rows(filters, chosen, place)
    by_severity, by_tenant = _counts(tenants, chosen)
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    freshness = freshness_of(chosen)
    return QueuePage(
        filters=filters,
        rows=rows[:PAGE],
        tenants=tenants,
        unavailable=len(set(filters.tenants) - {tenant.slug for tenant in tenants}),
        open_by_severity=by_severity,
        open_by_tenant=by_tenant,
        older=seal((last.updated_at, last.id), user_id=user.pk, query=query) if last else "",
        is_first=place is None,
        freshness=freshness,
        version=_version(rows, by_severity, chosen),
    )


def assignees_for(tenants: Sequence[TenantFreshness]) -> list[str]:
    """Names to offer in the filter."""
    return [row[0] for row in _select(ASSIGNEES, {"tenants": [tenant.id for tenant in tenants]})]


def _rows(filters: Filters, tenants: Sequence[TenantFreshness], place: Place | None) -> list[QueueRow]:
    parameters: dict[str, Any] = {"tenants": [t.id for t in tenants], "limit": PAGE + 1, "searched": SEARCHED}
    if not tenants:
        return []
    narrow = _narrow(filters, place, parameters)
    found = _select(ROWS.format(keys=_keys(filters, narrow, parameters)), parameters)
    merged = _merged_from(found)
    by_id = {tenant.id: tenant for tenant in tenants}
    return [_row(values, by_id[values[1]], merged.get((values[1], values[2]), 0)) for values in found]


def _narrow(filters: Filters, place: Place | None, parameters: dict[str, Any]) -> str:
    conditions = [_by_status(filters.status)]
    if filters.severities:
        conditions.append("q.severity = ANY(%(severities)s)")
        parameters["severities"] = [SEVERITIES[key].value for key in filters.severities]
    if filters.assignee == NOBODY:
        conditions.append("coalesce(q.assigned_to, '') = ''")
    elif filters.assignee:
        conditions.append("q.assigned_to = %(assignee)s")
        parameters["assignee"] = filters.assignee
    if place:
        conditions.append("(q.updated_at, q.id) < (%(at)s, %(id)s)")
        parameters["at"], parameters["id"] = place
    return "".join(f" AND {condition}" for condition in conditions)


def _by_status(status: str) -> str:
    if status in STATUS_OF:
        literal = f"q.status = {STATUS_OF[status].value:d}"
        # Says again what follows from the status, for the sake of the partial index.
        return literal if status in {"resolved", "merged"} else f"q.is_open AND {literal}"
    return "q.is_open" if status == "open" else f"q.status <> {Status.REDIRECTED.value:d}"


def _keys(filters: Filters, narrow: str, parameters: dict[str, Any]) -> str:
    if not filters.words:
        return KEYS.format(narrow=narrow)
    tests = []
    for place, word in enumerate(filters.words):
        parameters[f"word{place}"] = f"%{escaped(word)}%"
        test = f"s.text LIKE %(word{place})s"
        if word.isascii() and word.isdigit() and len(word) < 19:
            parameters[f"number{place}"] = int(word)
            test = f"({test} OR f.number = %(number{place})s)"
        tests.append(test)
    return KEYS_WITH_WORDS.format(narrow=narrow, words=" AND ".join(tests))


def escaped(word: str) -> str:
    """A word in which LIKE finds no wildcard."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _row(values: Sequence[Any], tenant: TenantFreshness, merged_from: int) -> QueueRow:
    (key, _, number, name, status, remote_status, severity, remote_severity, assigned, alerts, *rest) = values
    host, account, updated_at, changed_at, redirect_number, is_stub, cleaned, gone_at = rest
    return QueueRow(
        id=key,
        tenant=tenant,
        number=number,
        name=name,
        status=KEY_OF_STATUS.get(status, "other"),
        status_word=status_word(status, remote_status),
        severity=Severity(severity).name.lower(),
        severity_word=severity_word(severity, remote_severity),
        assigned_to=assigned or "",
        alert_count=alerts,
        host=host,
        account=account,
        updated_at=updated_at,
        changed_at=changed_at,
        redirect_number=redirect_number,
        is_stub=is_stub,
        cleaned=cleaned,
        is_gone=gone_at is not None,
        merged_from=merged_from,
    )


def status_word(status: int, remote: str) -> str:
    """The status for people; one that we do not know is shown as Microsoft sent it."""
    return remote or "Not given" if status == Status.OTHER else Status(status).label


def severity_word(severity: int, remote: str) -> str:
    """The severity for people; one that we do not know is shown as Microsoft sent it."""
    return f"Unknown ({remote})" if severity == Severity.UNKNOWN and remote else Severity(severity).label


def _counts(
    tenants: Sequence[TenantFreshness], chosen: Sequence[TenantFreshness]
) -> tuple[dict[str, int], dict[str, int]]:
    closed = [Status.RESOLVED.value, Status.REDIRECTED.value]
    slugs = {tenant.id: tenant.slug for tenant in tenants}
    in_filter = {tenant.id for tenant in chosen}
    by_severity = dict.fromkeys(SEVERITIES, 0)
    by_tenant: dict[str, int] = dict.fromkeys(slugs.values(), 0)
    for tenant_id, severity, n in _select(COUNTS, {"tenants": list(slugs), "closed": closed}):
        by_tenant[slugs[tenant_id]] += int(n)
        if tenant_id in in_filter:
            by_severity[Severity(severity).name.lower()] += int(n)
    return by_severity, by_tenant


def _merged_from(found: Sequence[Sequence[Any]]) -> dict[tuple[int, int], int]:
    if not found:
        return {}
    parameters = {"tenants": sorted({row[1] for row in found}), "numbers": sorted({row[2] for row in found})}
    return {(tenant, number): n for tenant, number, n in _select(MERGED, parameters)}


def _version(rows: Sequence[QueueRow], counts: dict[str, int], tenants: Sequence[TenantFreshness]) -> str:
    state = [(row.id, row.changed_at.isoformat(), row.merged_from) for row in rows]
    marks = [(tenant.id, tenant.mark) for tenant in tenants if tenant.mark]
    return blake2b(repr((state, sorted(counts.items()), marks)).encode(), digest_size=9).hexdigest()


def _select(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    scope.current()  # raises outside a scope, as the managers do
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
