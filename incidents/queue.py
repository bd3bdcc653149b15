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
from incidents.filters import KEY_OF_STATUS, SEVERITIES, Filters, query_for
from incidents.freshness import Freshness, TenantFreshness, freshness_of, tenants_for
from incidents.models import Severity, Status
from incidents.queue_statements import ASSIGNEES, COUNTS, KEYS_AT_A_GLANCE, MERGED, rows_statement
from tenants import scope

PAGE = 50
# Ours. Words are looked for in this many incidents, newest first; beyond that the page says so and asks for a narrower
# question, since row-level security keeps PostgreSQL from using a text index.
SEARCHED = 20_000
GLANCED = 500  # ours: of these, a glance at the newest first, for a word that stands in every tenth


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
    if not tenants:
        return []
    found = find_rows(filters, [tenant.id for tenant in tenants], place)
    merged = _merged_from(found)
    by_id = {tenant.id: tenant for tenant in tenants}
    return [_row(values, by_id[values[1]], merged.get((values[1], values[2]), 0)) for values in found]


def find_rows(filters: Filters, tenant_ids: Sequence[int], place: Place | None) -> list[tuple[Any, ...]]:
    """The rows of one page and one more, newest first, as the statement gives them.

    A word that stands in many incidents fills the page from the newest few, which spares it the fence of all others.
    """
    parameters: dict[str, Any] = {"tenants": list(tenant_ids), "limit": PAGE + 1}
    if filters.words:
        glance = rows_statement(filters, place, parameters, with_words=KEYS_AT_A_GLANCE)
        found = _select(glance, parameters | {"searched": min(GLANCED, SEARCHED)})
        if len(found) > PAGE:
            return found
    return _select(rows_statement(filters, place, parameters), parameters | {"searched": SEARCHED})


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
        cursor.execute(statement, {name: _bound(value) for name, value in parameters.items()})
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _bound(value: Any) -> Any:
    """A list of keys as PostgreSQL writes an array: the driver takes a millisecond to do so for a thousand tenants."""
    is_keys = isinstance(value, list) and all(type(one) is int for one in value)
    return f"{{{','.join(map(str, value))}}}" if is_keys else value
