"""The analysts' list over all their tenants, as one planned query.

Everything else on the page comes from small tables: counts from the roll-up that the store keeps, freshness from one
row per tenant. Nothing here counts incidents, except those that hold a value somebody looks up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any

from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from defender.vocabulary import CLASSIFICATIONS, DETERMINATIONS
from incidents.assignees import addresses_for
from incidents.cursor import Place, seal, unseal
from incidents.facets import OpenCounts, open_counts
from incidents.filters import KEY_OF_STATUS, ME, UNAVAILABLE, Filters, query_for
from incidents.freshness import Freshness, TenantFreshness, freshness_of, tenants_for
from incidents.models import Severity, Status
from incidents.queue_statements import (
    ASSIGNEES,
    MERGED,
    elsewhere_statement,
    held_keys,
    held_statement,
    rows_statement,
)
from incidents.selecting import select
from tenants.groups import groups_for

PAGE = 50
# Ours. Words, tags, techniques and sources are looked for in this many incidents, newest first; beyond that the page
# says so and asks for a narrower question, since row-level security keeps PostgreSQL from using a text index.
SEARCHED = 20_000
GLANCED = 500  # ours: of these, a glance at the newest first, for a word that stands in every tenth
HELD = 20_000  # ours: pieces of evidence with one value that are looked at
ELSEWHERE = 1_000  # ours: incidents counted beside those shown


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
    created_at: datetime | None
    classification: str
    determination: str
    merged_from: int
    base_url: str
    tags: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    # Filled in by incidents.overlay: what was seen of the row, what of it is on its way, how many conflicts it has.
    token: str = ""
    on_its_way: str = ""
    conflicts: int = 0

    @property
    def key(self) -> str:
        """Names the row on the page, by tenant and number."""
        return f"{self.tenant.slug}-{self.number}"

    @property
    def url(self) -> str:
        """The incident's page."""
        return f"{self.base_url}{self.number}/"

    @property
    def target_url(self) -> str:
        """The page of the incident that this one was merged into."""
        return f"{self.base_url}{self.redirect_number}/"

    @property
    def classification_word(self) -> str:
        """Classification and determination for people; blank where nobody has decided."""
        if self.classification in {"", "Unknown"}:
            return ""
        words = [CLASSIFICATIONS.get(self.classification, self.classification)]
        if self.determination not in {"", "NotAvailable"}:
            words.append(DETERMINATIONS.get(self.determination, self.determination))
        return ": ".join(words)

    @property
    def alerts(self) -> str:
        """The number of alerts for people; a filter in the template would cost more than the rest of the cell."""
        return f"{self.alert_count:,}"

    @property
    def stamp(self) -> str:
        """Differs where anything of the row does."""
        return f"{self.changed_at.timestamp():.6f}-{self.merged_from}-{self.token}-{self.on_its_way}-{self.conflicts}"


@dataclass(frozen=True, slots=True)
class Found:
    """Rows as the statement gives them. ``exactly``: by exact values and numbers, not by words."""

    rows: list[tuple[Any, ...]]
    exactly: bool = False


@dataclass(frozen=True, slots=True)
class QueuePage:
    """What the queue shows.

    ``tenants`` are all the person's, ``chosen`` those in the filter; ``unavailable`` counts slugs and groups in the
    filter that are not among them. ``counts`` are of the chosen ones. ``exactly`` where the search box was looked up,
    ``closed`` and ``merged`` then count what else holds it. ``older`` is the cursor of the next page or blank.
    ``version`` changes when anything on the page does, other than the passing of time.
    """

    filters: Filters
    rows: Sequence[QueueRow]
    tenants: Sequence[TenantFreshness]
    chosen: Sequence[TenantFreshness]
    unavailable: int
    counts: OpenCounts
    exactly: bool
    closed: int
    merged: int
    older: str
    is_first: bool
    freshness: Freshness
    version: str

    @property
    def open_by_severity(self) -> dict[str, int]:
        """Open incidents of the chosen tenants, whatever else is in the filter."""
        return self.counts.by_severity

    @property
    def open_total(self) -> int:
        """Open incidents of the tenants in the filter."""
        return sum(self.open_by_severity.values())


def queue_page(
    user: User, filters: Filters, cursor: str = "", *, now: datetime | None = None, by_tenant: bool = False
) -> QueuePage:
    """One page of at most PAGE rows, newest first. An unknown, stale or foreign cursor is the first page.

    ``by_tenant`` also counts per tenant, where that is no query of its own.
    """
    tenants = tenants_for(user, now or timezone.now())
    chosen, unavailable = chosen_tenants(user, filters, tenants)
    asked = resolved(user, filters, chosen)
    query = query_for(filters)
    place = unseal(cursor, user_id=user.pk, query=query)
    found = _found(asked, [tenant.id for tenant in chosen], place) if chosen else Found([])
    rows = _rows(found, chosen)
    counts = open_counts(filters, chosen, by_tenant=by_tenant and len(chosen) == len(tenants))
    closed, merged = _elsewhere(asked, chosen)
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    return QueuePage(
        filters=filters,
        rows=rows[:PAGE],
        tenants=tenants,
        chosen=chosen,
        unavailable=unavailable,
        counts=counts,
        exactly=found.exactly,
        closed=closed,
        merged=merged,
        older=seal((last.updated_at, last.id), user_id=user.pk, query=query) if last else "",
        is_first=place is None,
        freshness=freshness_of(chosen),
        version=_version(rows, [counts.by_severity, counts.unassigned, closed, merged], chosen),
    )


def chosen_tenants(
    user: User, filters: Filters, tenants: Sequence[TenantFreshness]
) -> tuple[Sequence[TenantFreshness], int]:
    """Those of the person's ``tenants`` that the filters name and that are in their tenant group, all without either;
    and how many of the names are not available to the person.
    """
    named = [tenant for tenant in tenants if tenant.slug in filters.tenants] if filters.tenants else tenants
    unavailable = len(set(filters.tenants) - {tenant.slug for tenant in tenants})
    if not filters.group:
        return named, unavailable
    members = groups_for(user).get(filters.group)
    return [tenant for tenant in named if tenant.id in (members or ())], unavailable + (members is None)


def for_person(user: User, filters: Filters, tenants: Sequence[TenantFreshness]) -> Filters:
    """Somebody else's filters without the names of tenants and groups that this person must not learn of."""
    known = {tenant.slug for tenant in tenants}
    slugs = dict.fromkeys(slug if slug in known else UNAVAILABLE for slug in filters.tenants)
    is_known = not filters.group or filters.group in groups_for(user)
    return replace(filters, tenants=tuple(slugs), group=filters.group if is_known else UNAVAILABLE)


def resolved(user: User, filters: Filters, tenants: Sequence[TenantFreshness]) -> Filters:
    """The filters with the addresses that "me" stands for in these tenants."""
    if filters.assignee != ME:
        return filters
    mine = addresses_for(user, [tenant.id for tenant in tenants])
    return replace(filters, mine=tuple(sorted(set(mine.values()))))


def assignees_for(tenants: Sequence[TenantFreshness]) -> list[str]:
    """Names to offer in the filter."""
    return [row[0] for row in select(ASSIGNEES, {"tenants": [tenant.id for tenant in tenants]})]


def find_rows(filters: Filters, tenant_ids: Sequence[int], place: Place | None) -> list[tuple[Any, ...]]:
    """The rows of one page and one more, newest first, as the statement gives them."""
    return _found(filters, tenant_ids, place).rows


def is_found_exactly(filters: Filters, tenant_ids: Sequence[int]) -> bool:
    """Whether any incident within the filters holds the exact values and numbers asked for."""
    if not filters.asked.is_exact or not tenant_ids:
        return False
    parameters = _parameters(tenant_ids) | {"limit": 1}
    return bool(select(held_keys(filters, None, parameters), parameters))


def bounds() -> dict[str, int]:
    """How far a search goes, as the statements want it."""
    return {"searched": SEARCHED, "held": HELD}


def _found(filters: Filters, tenant_ids: Sequence[int], place: Place | None) -> Found:
    """What is asked for exactly goes before words: those are looked for where nothing holds the value.

    Something rare asked of a fence fills the page from the newest few, which spares it the fence of all others.
    """
    parameters = _parameters(tenant_ids)
    if filters.asked.is_exact:
        rows = select(held_statement(filters, place, parameters), parameters)
        if rows or (place and is_found_exactly(filters, tenant_ids)):
            return Found(rows, exactly=True)
    if filters.words or filters.is_deep:
        glance = rows_statement(filters, place, parameters)
        rows = select(glance, parameters | {"searched": min(GLANCED, SEARCHED)})
        if len(rows) > PAGE:
            return Found(rows)
    return Found(select(rows_statement(filters, place, parameters), parameters))


def _parameters(tenant_ids: Sequence[int]) -> dict[str, Any]:
    return {"tenants": list(tenant_ids), "limit": PAGE + 1, **bounds()}


def _elsewhere(filters: Filters, tenants: Sequence[TenantFreshness]) -> tuple[int, int]:
    """(closed, merged) incidents that hold what is looked up, where the filters show open ones only."""
    if not (filters.asked.is_exact and filters.status == "open" and tenants):
        return 0, 0
    parameters = _parameters([tenant.id for tenant in tenants]) | {"limit": ELSEWHERE}
    ((closed, merged),) = select(elsewhere_statement(filters, parameters), parameters)
    return closed, merged


def _rows(found: Found, tenants: Sequence[TenantFreshness]) -> list[QueueRow]:
    merged = _merged_from(found.rows)
    by_id = {tenant.id: tenant for tenant in tenants}
    # One look-up for all: asking for addresses is what a page of rows would spend most time on.
    start = reverse("incidents:incident", args=["slug", 0]).removesuffix("slug/0/")
    return [
        _row(values, tenant, merged.get((values[1], values[2]), 0), f"{start}{tenant.slug}/")
        for values in found.rows
        for tenant in (by_id[values[1]],)
    ]


def _row(values: Sequence[Any], tenant: TenantFreshness, merged_from: int, base_url: str) -> QueueRow:
    (key, _, number, name, status, remote_status, severity, remote_severity, assigned, alerts, *rest) = values
    host, account, updated_at, changed_at, redirect_number, is_stub, cleaned, gone_at, *more = rest
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
        created_at=more[0],
        classification=more[1],
        determination=more[2],
        merged_from=merged_from,
        base_url=base_url,
    )


def status_word(status: int, remote: str) -> str:
    """The status for people; one that we do not know is shown as Microsoft sent it."""
    return remote or "Not given" if status == Status.OTHER else Status(status).label


def severity_word(severity: int, remote: str) -> str:
    """The severity for people; one that we do not know is shown as Microsoft sent it."""
    return f"Unknown ({remote})" if severity == Severity.UNKNOWN and remote else Severity(severity).label


def _merged_from(found: Sequence[Sequence[Any]]) -> dict[tuple[int, int], int]:
    if not found:
        return {}
    parameters = {"tenants": sorted({row[1] for row in found}), "numbers": sorted({row[2] for row in found})}
    return {(tenant, number): n for tenant, number, n in select(MERGED, parameters)}


def _version(rows: Sequence[QueueRow], counts: Sequence[Any], tenants: Sequence[TenantFreshness]) -> str:
    state = [(row.id, row.changed_at.isoformat(), row.merged_from) for row in rows]
    marks = [(tenant.id, tenant.mark) for tenant in tenants if tenant.mark]
    return blake2b(repr((state, counts, marks)).encode(), digest_size=9).hexdigest()
