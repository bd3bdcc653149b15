"""How fresh a tenant's incidents are, in words."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from defender.times import parse_time
from tenants.models import SyncState, Tenant


@dataclass(frozen=True, slots=True)
class Freshness:
    """``as_of`` is the end of the last complete pass; ``kind`` one of off, first, fresh, stale, waiting.

    ``percent`` of its days is what a first sync has read, where that is known.
    """

    kind: str
    sentence: str
    as_of: datetime | None
    percent: int | None = None


def freshness_of(tenant: Tenant, now: datetime) -> Freshness:
    """What a person is told about how current this tenant's incidents are."""
    state: SyncState | None = getattr(tenant, "sync_state", None)
    as_of = state.last_ok_at if state else None
    if not tenant.is_syncing:
        return Freshness("off", "Not read at the moment." if as_of else "Not read yet.", as_of)
    if state is None or as_of is None:
        return _first(state)
    if state.last_error:
        return Freshness("waiting", state.last_error, as_of)
    if abs(now - as_of) > settings.STALE_AFTER:  # also of a clock that was set back
        return Freshness("stale", "Older than it should be.", as_of)
    return Freshness("fresh", "Current.", as_of)


def _first(state: SyncState | None) -> Freshness:
    """A first sync reads from the newest incident back to the oldest that Microsoft keeps."""
    if state is None or not state.progress_seen:
        return Freshness("first", "First sync is due.", None)
    sentence = f"First sync: {state.progress_seen:,} incidents so far"
    reached, since = parse_time(state.progress_reached), parse_time(state.pass_since)
    began = state.pass_started_at
    if not (reached and since and began and since <= reached <= began and since < began):
        return Freshness("first", f"{sentence}.", None)
    percent = int(100 * (began - reached) / (began - since))
    return Freshness("first", f"{sentence}, back to {reached:%-d %B %Y} of {since:%-d %B %Y}.", None, percent)
