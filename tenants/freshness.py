"""How fresh a tenant's incidents are, in words."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from tenants.models import SyncState, Tenant


@dataclass(frozen=True, slots=True)
class Freshness:
    """``as_of`` is the end of the last complete pass; ``kind`` one of off, first, fresh, stale, waiting."""

    kind: str
    sentence: str
    as_of: datetime | None


def freshness_of(tenant: Tenant, now: datetime) -> Freshness:
    """What a person is told about how current this tenant's incidents are."""
    state: SyncState | None = getattr(tenant, "sync_state", None)
    as_of = state.last_ok_at if state else None
    if not tenant.is_syncing:
        return Freshness("off", "Not read at the moment." if as_of else "Not read yet.", as_of)
    if state is None or as_of is None:
        seen = state.progress_seen if state else 0
        return Freshness("first", f"First sync: {seen} incidents so far." if seen else "First sync is due.", None)
    if state.last_error:
        return Freshness("waiting", state.last_error, as_of)
    if now - as_of > settings.STALE_AFTER:
        return Freshness("stale", "Older than it should be.", as_of)
    return Freshness("fresh", "Current.", as_of)
