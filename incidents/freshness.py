"""How old what the queue shows may be, tenant by tenant, and which tenants need somebody's attention."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import Max

from accounts.models import User
from incidents.selecting import select
from tenants import scope
from tenants.models import SYNCING, Budget, SyncState, Tenant, TenantState

# States whose trouble an analyst has to know about; an invited tenant has no incidents that could be missing.
TROUBLED = frozenset({TenantState.CONSENT_LOST, TenantState.DEGRADED, TenantState.REVIEW, TenantState.WAITING})

# Moments as numbers: with a thousand tenants, reading times that come as text takes longer than all else here. Sixteen
# digits hold microseconds. Those of a block are few.
_TENANTS = """
SELECT t.id, t.slug, t.name, t.state, extract(epoch FROM s.last_ok_at)::float8, b.until
FROM tenants_tenant t
LEFT JOIN tenants_syncstate s ON s.tenant_id = t.id
LEFT JOIN (SELECT tenant_id, max(blocked_until) AS until FROM tenants_budget WHERE blocked_until > %(now)s
    GROUP BY tenant_id) b ON b.tenant_id = t.id
WHERE t.id IN (SELECT m.tenant_id FROM tenants_membership m WHERE m.user_id = %(user)s
    AND (%(only)s::bigint[] IS NULL OR m.tenant_id = ANY(%(only)s::bigint[])))
ORDER BY t.name, t.id
"""

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
    """The tenants whose incidents the person may read, by name. One query, whatever their number."""
    only, stale_after = scope.current().only, settings.STALE_AFTER
    rows = select(_TENANTS, {"user": user.pk, "now": now, "only": None if only is None else list(only)})
    found = []
    for pk, slug, name, state, seconds, until in rows:
        as_of = None if seconds is None else datetime.fromtimestamp(seconds, UTC)
        found.append(TenantFreshness(pk, slug, name, state, as_of, _mark(state, as_of, until, now, stale_after)))
    return found


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


def _mark(
    state: str, as_of: datetime | None, blocked_until: datetime | None, now: datetime, stale_after: timedelta
) -> str:
    if state in TROUBLED and state != TenantState.DEGRADED:
        return TenantState(state).label.lower()
    if blocked_until:
        return f"{WAITING} until {blocked_until:%H:%M} UTC"
    if state in SYNCING and as_of and abs(now - as_of) > stale_after:
        return "stale"
    return "degraded" if state == TenantState.DEGRADED else ""


def tenant_freshness(tenant: Tenant, now: datetime) -> TenantFreshness:
    """The same facts about one tenant."""
    as_of = SyncState.objects.filter(tenant_id=tenant.pk).values_list("last_ok_at", flat=True).first()
    blocked = Budget.objects.filter(tenant_id=tenant.pk, blocked_until__gt=now)
    until = blocked.aggregate(until=Max("blocked_until"))["until"]
    mark = _mark(tenant.state, as_of, until, now, settings.STALE_AFTER)
    return TenantFreshness(tenant.pk, tenant.slug, tenant.name, tenant.state, as_of, mark)
