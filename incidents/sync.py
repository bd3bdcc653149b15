"""One pass over one tenant: watermark, pages, store, watermark.

The contract. A pass reads incidents newest first from the watermark less an overlap to the last page; each page is
stored in a transaction of its own that begins with the lease's fence. The watermark moves only in the transaction that
ends a complete pass, to the newest time seen with every digit Microsoft sent, never by our clock. A pass that is
broken off goes on at the page it had reached: while it waits, incidents can only move towards the front or further
back, never past the place where it stopped, and what moved to the front is newer than this pass's watermark.

``sync_tenant`` raises nothing of Microsoft's: every ending is an outcome that is written down by ``incidents.ending``.
"""

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.utils import timezone

from defender.client import LARGEST_PAGE, DefenderClient, IncidentPage
from defender.errors import DefenderError
from defender.times import later, parse_time
from incidents import ending, reconcile
from incidents.ending import SyncOutcome
from incidents.entries import newest_until
from incidents.store import PageResult, store_page
from tenants import leases, scope
from tenants.alarms import raise_alarm
from tenants.leases import Fenced, Lease, Progress
from tenants.models import SyncRun, SyncState, Tenant

log = structlog.get_logger("portal.sync")
Kind = SyncRun.Kind
Ended = SyncRun.Ended

# Ours: Microsoft's clock and ours may differ by so much before somebody is told, …
SKEW: Final = timedelta(minutes=2)
# … and an incident dated further ahead than this of Microsoft's own clock does not move the watermark.
AHEAD: Final = timedelta(minutes=10)
# Our clock is used once, for the first pass; a day more makes up for any clock that is wrong by less.
MARGIN: Final = timedelta(days=1)
# Longest time text that is kept as it is; longer ones (more than seven digits, an offset) are written anew, cut.
LONGEST_TIME: Final = 40
# A pass that was broken off longer ago than this begins anew.
CONTINUED_WITHIN: Final = timedelta(hours=24)


@dataclass(slots=True)
class Pass:
    """One pass while it runs. Counts are of this part of it; ``newest`` is of the whole."""

    tenant: Tenant
    lease: Lease
    kind: str
    since: str
    started_at: datetime
    skip: int = 0
    newest: str = ""
    whole: bool = True
    page_size: int = LARGEST_PAGE
    sweep_cursor: int | None = None
    pages: int = 0
    seen: int = 0
    new: int = 0
    changed: int = 0
    merged: int = 0
    quarantined: int = 0
    pages_before: int = 0
    seen_before: int = 0
    server_time: datetime | None = None
    notes: list[str] = field(default_factory=list)
    numbers: set[int] = field(default_factory=set)
    targets: set[int] = field(default_factory=set)

    def outcome(self, ended: str, **more: object) -> SyncOutcome:
        """What has come of it so far."""
        done = SyncOutcome(
            ended=ended,
            kind=self.kind,
            started_at=self.started_at,
            window_from=self.since,
            pages=self.pages,
            seen=self.seen,
            new=self.new,
            changed=self.changed,
            merged=self.merged,
            quarantined=self.quarantined,
            detail=" ".join(self.notes),
        )
        return replace(done, **more)  # type: ignore[arg-type]

    def count(self, result: PageResult) -> None:
        """Add what a page brought."""
        self.seen += result.seen
        self.new += result.new
        self.changed += result.changed
        self.merged += result.merged
        self.quarantined += result.quarantined
        self.targets |= result.targets
        self.numbers |= result.numbers


def sync_tenant(
    *, tenant: Tenant, client: DefenderClient, now: datetime, lease: Lease, kind: str | None = None
) -> SyncOutcome:
    """One pass under a lease, which is given back at its end. ``kind`` is decided by what is due unless given.

    Raises only what is a fault of the portal or its database; the caller ends such a pass with ``ending.internal``.
    """
    work = begin(tenant=tenant, now=now, lease=lease, kind=kind)
    try:
        return _run(work, client, now)
    except Fenced:
        log.warning("pass fenced", epoch=lease.epoch)
        return work.outcome(Ended.FENCED, detail="Another worker took over, or the tenant was disconnected.")


def _run(work: Pass, client: DefenderClient, now: datetime) -> SyncOutcome:
    try:
        if not _read(work, client, now):
            return ending.stopped(work.lease, work.tenant, work.outcome(Ended.STOPPED))
    except DefenderError as error:
        return ending.failed(work.lease, work.tenant, work.outcome(ending.ended_by(error)), error)
    reconcile.look_closer(work, client, now)
    return ending.complete(
        work.lease,
        work.tenant,
        work.outcome(Ended.COMPLETE),
        watermark=_watermark(work),
        sweep_cursor=work.sweep_cursor,
    )


def begin(*, tenant: Tenant, now: datetime, lease: Lease, kind: str | None = None) -> Pass:
    """The pass that is due: the one that was broken off, else the first sync, the sweep, or a poll."""
    with scope.operations():
        state = SyncState.objects.get(tenant=tenant)
        if _goes_on(state, now) and kind in (None, state.pass_kind):
            return Pass(
                tenant=tenant,
                lease=lease,
                kind=state.pass_kind,
                since=state.pass_since,
                started_at=now,
                skip=state.pass_skip,
                newest=state.pass_newest,
                whole=False,
                page_size=_page_size(state.failures),
                sweep_cursor=state.sweep_cursor,
                pages_before=state.progress_pages,
                seen_before=state.progress_seen,
            )
        chosen = kind or _kind_due(state, now)
        SyncState.objects.filter(pk=state.pk).update(
            pass_started_at=now, pass_kind="", pass_skip=0, pass_newest="", progress_pages=0, progress_seen=0
        )
    return Pass(
        tenant=tenant,
        lease=lease,
        kind=chosen,
        since=_since(state, chosen, now),
        started_at=now,
        page_size=_page_size(state.failures),
        sweep_cursor=state.sweep_cursor,
    )


def _goes_on(state: SyncState, now: datetime) -> bool:
    """Whether a pass that got beyond its first page waits to be continued."""
    began = state.pass_started_at
    return bool(state.pass_kind and state.pass_skip and began and now - began < CONTINUED_WITHIN)


def _kind_due(state: SyncState, now: datetime) -> str:
    if state.watermark is None:
        return Kind.BACKFILL
    return Kind.SWEEP if state.sweep_due_at and state.sweep_due_at <= now else Kind.POLL


def _since(state: SyncState, kind: str, now: datetime) -> str:
    """The oldest update asked for. All but the first pass reckon from Microsoft's own times."""
    if state.watermark is None:
        return _written(now - settings.SYNC_BACKFILL - MARGIN)
    back: timedelta = {Kind.SWEEP: settings.SYNC_SWEEP_WINDOW, Kind.BACKFILL: settings.SYNC_BACKFILL}.get(
        Kind(kind), settings.SYNC_OVERLAP
    )
    return _written(state.watermark - back)


def _written(moment: datetime) -> str:
    """As Microsoft writes times."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _read(work: Pass, client: DefenderClient, now: datetime) -> bool:
    """Read and store to the last page. False if the time for one pass ran out before."""
    until = time.monotonic() + settings.SYNC_PASS_LIMIT.total_seconds()
    for page in client.incident_pages(since=work.since, top=work.page_size, skip=work.skip):
        _store(work, page, now)
        # Whoever goes on begins with the last page that was read, so only a second page means that it gets further.
        if page.next_skip is not None and work.pages > 1 and time.monotonic() > until:
            return False
    return True


def _page_size(failures: int) -> int:
    """Smaller pages after repeated failures: some answers fail for their size alone, and so each gets through."""
    return max(1, LARGEST_PAGE >> max(0, failures - 2))


def _store(work: Pass, page: IncidentPage, now: datetime) -> None:
    """One page in, its progress kept in the same transaction; whoever goes on reads this page again first."""
    work.server_time = page.server_time or work.server_time
    _watch_clocks(page, now)
    work.pages += 1
    progress = Progress(
        kind=work.kind,
        since=work.since,
        skip=page.skip,
        newest=work.newest,
        pages=work.pages_before + work.pages,
        seen=work.seen_before + work.seen + len(page.items),
    )
    result = store_page(
        tenant=work.tenant, items=page.items, now=now, fence=lambda: leases.fence(work.lease, progress=progress)
    )
    work.count(result)
    work.newest = later(work.newest, _believable(result, page, work.server_time))
    if not result.newest_first and not work.notes:
        work.notes.append("Microsoft sent a page that was not ordered newest first.")


def _believable(result: PageResult, page: IncidentPage, server_time: datetime | None) -> str:
    """The newest time of the page, incidents dated ahead of Microsoft's own clock left aside."""
    latest = (server_time or timezone.now() + MARGIN) + AHEAD
    newest = parse_time(result.newest_text)
    text = result.newest_text if newest is None or newest <= latest else newest_until(page.items, latest)
    moment = parse_time(text)
    return _written(moment) if moment and len(text) > LONGEST_TIME else text


def _watch_clocks(page: IncidentPage, now: datetime) -> None:
    if page.server_time is None or page.skip:
        return
    skew = abs(page.server_time - timezone.now())
    if skew > SKEW:
        raise_alarm(
            key="clock-skew",
            sentence=f"This machine's clock and Microsoft's differ by {skew.total_seconds():.0f} seconds.",
            step="Check time synchronisation (NTP) on the worker's machine.",
            now=now,
        )


def _watermark(work: Pass) -> str:
    """The newest time of the pass; of a tenant without incidents, Microsoft's clock when the pass began."""
    if parse_time(work.newest):
        return work.newest
    return _written(work.server_time) if work.server_time and not work.seen else ""
