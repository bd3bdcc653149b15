"""Bugs that a sync like this one may have, put into a worker so that the oracle can be tried: it must find each."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone


def watermark_is_now() -> None:
    """The watermark is our clock at the end of the pass, not the newest time seen."""
    from incidents import sync
    from incidents.passes import written

    sync._watermark = lambda work: written(timezone.now())
    sync._is_idle = lambda work, watermark: False


def oldest_first() -> None:
    """The list comes oldest first (the stand-in is told so), and nobody looks at the order."""
    from incidents import entries, store

    span_of = entries.span_of
    store.span_of = lambda given: _in_order(span_of(given))  # type: ignore[attr-defined,assignment]


def _in_order(span: Any) -> Any:
    from dataclasses import replace

    return replace(span, newest_first=True)


def no_overlap() -> None:
    """Each pass begins exactly where the last one ended."""
    from django.conf import settings

    settings.SYNC_OVERLAP = timedelta()


def no_epoch_check() -> None:
    """Whoever was replaced goes on writing: nothing asks whether the lease is still theirs."""
    from tenants import leases

    fence = "AND lease_epoch = %(epoch)s AND lease_until IS NOT NULL"
    for name in ("_FENCE", "_FENCE_WITH_PROGRESS"):
        setattr(leases, name, _without(getattr(leases, name), fence, "AND %(epoch)s > 0"))
    for name in ("_EXTEND", "_SETTLE_IDLE", "_HAND_BACK"):
        ours = "AND mine.lease_epoch = held.epoch AND mine.lease_until IS NOT NULL"
        setattr(leases, name, _without(getattr(leases, name), ours, ""))
    settle = leases.settle
    leases.settle = lambda lease, **values: settle(_renewed(lease), **values)


def _without(statement: str, condition: str, instead: str) -> str:
    if condition not in statement:
        raise LookupError(f"This statement is not the one that the bug was made for: {statement}")
    return statement.replace(condition, instead)


def _renewed(lease: Any) -> Any:
    from dataclasses import replace

    from tenants.models import SyncState

    return replace(lease, epoch=SyncState.objects.get(tenant_id=lease.tenant_id).lease_epoch)


def rounded_times() -> None:
    """The watermark is rounded; to whole half minutes, as all waits of a soak are scaled."""
    from defender.times import parse_time
    from incidents import sync
    from incidents.passes import written

    watermark = sync._watermark

    def rounded(work: Any) -> str:
        moment = parse_time(watermark(work))
        return written(moment + timedelta(seconds=30 - moment.timestamp() % 30)) if moment else ""

    sync._watermark = rounded


BUGS: Final[dict[str, Callable[[], None]]] = {
    "watermark-is-now": watermark_is_now,
    "oldest-first": oldest_first,
    "no-overlap": no_overlap,
    "no-epoch-check": no_epoch_check,
    "rounded-times": rounded_times,
}
# What the oracle must find with each of them, at least one.
SHOWS_AS: Final[dict[str, tuple[str, ...]]] = dict.fromkeys(BUGS, ("lost", "stale")) | {
    "no-epoch-check": ("zombie_writes",)
}
