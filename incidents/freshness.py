"""How old what the queue shows may be, tenant by tenant, and which tenants need somebody's attention."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db.models import Max

from accounts.models import User
from tenants.models import SYNCING, Budget, SyncState, Tenant, TenantState
from tenants.scope import member_tenants

# States whose trouble an analyst has to know about; an invited tenant has no incidents that could be missing.
TROUBLED = frozenset({TenantState.CONSENT_LOST, TenantState.DEGRADED, TenantState.REVIEW, TenantState.WAITING})

WAITING = "waiting for Microsoft"


@dataclass(frozen=True, slots=True)
class TenantFreshness:
    """One tenant of the person. ``mark`` is what is wrong in a few words, blank where nothing is."""

    id: int
    slug: str
    name: str
    state: str
    as_of: datetime | None
    mark: str

    @property
    def kind(self) -> str:
        """Which chip shows the mark: bad where somebody has to act, wait where only time has to pass."""
        if self.state == TenantState.CONSENT_LOST:
            return "bad"
        return "wait" if self.mark.startswith(WAITING) else "warning"


@dataclass(frozen=True, slots=True)
class Freshness:
    """The queue's freshness line. ``oldest`` is None where no tenant has been synced yet."""

    tenants: int
    syncing: int
    oldest: datetime | None
    waiting_first: int
    attention: int


def tenants_for(user: User, now: datetime) -> list[TenantFreshness]:
    """The tenants whose incidents the person may read, by name. Two queries, whatever their number."""
    mine = Tenant.objects.filter(pk__in=member_tenants(user.pk)).order_by("name", "pk")
    rows = mine.values_list("pk", "slug", "name", "state", "sync_state__last_ok_at")
    blocked = _blocked_until(user, now)
    return [
        TenantFreshness(pk, slug, name, state, as_of, _mark(state, as_of, blocked.get(pk), now))
        for pk, slug, name, state, as_of in rows
    ]


def freshness_of(tenants: Iterable[TenantFreshness]) -> Freshness:
    """The line over several tenants; tenants that are not synced at all do not make it old, they ask for attention."""
    known = list(tenants)
    syncing = [tenant for tenant in known if tenant.state in SYNCING]
    moments = [tenant.as_of for tenant in syncing if tenant.as_of]
    return Freshness(
        tenants=len(known),
        syncing=len(syncing),
        oldest=min(moments, default=None),
        waiting_first=len(syncing) - len(moments),
        attention=sum(bool(tenant.mark) for tenant in known),
    )


def worst_first(tenants: Iterable[TenantFreshness]) -> list[TenantFreshness]:
    """Marked ones first, those that need somebody before those that wait; then the oldest."""
    order = {"bad": 0, "warning": 1, "wait": 2}

    def place(tenant: TenantFreshness) -> tuple[int, float, str]:
        since = tenant.as_of.timestamp() if tenant.as_of else 0.0
        return order[tenant.kind] if tenant.mark else len(order), since, tenant.name

    return sorted(tenants, key=place)


def _blocked_until(user: User, now: datetime) -> dict[int, datetime]:
    blocked = Budget.objects.filter(tenant_id__in=member_tenants(user.pk), blocked_until__gt=now)
    return dict(blocked.values("tenant_id").annotate(until=Max("blocked_until")).values_list("tenant_id", "until"))


def _mark(state: str, as_of: datetime | None, blocked_until: datetime | None, now: datetime) -> str:
    if state in TROUBLED and state != TenantState.DEGRADED:
        return TenantState(state).label.lower()
    if blocked_until:
        return f"{WAITING} until {blocked_until:%H:%M} UTC"
    if state in SYNCING and as_of and abs(now - as_of) > settings.STALE_AFTER:
        return "stale"
    return "degraded" if state == TenantState.DEGRADED else ""


def tenant_freshness(tenant: Tenant, now: datetime) -> TenantFreshness:
    """The same facts about one tenant."""
    as_of = SyncState.objects.filter(tenant_id=tenant.pk).values_list("last_ok_at", flat=True).first()
    blocked = Budget.objects.filter(tenant_id=tenant.pk, blocked_until__gt=now)
    until = blocked.aggregate(until=Max("blocked_until"))["until"]
    mark = _mark(tenant.state, as_of, until, now)
    return TenantFreshness(tenant.pk, tenant.slug, tenant.name, tenant.state, as_of, mark)
