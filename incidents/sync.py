"""One pass over one tenant: watermark, pages, store, watermark.

The contract. A pass reads incidents newest first from the watermark less an overlap to the last page; each page is
stored in a transaction of its own that begins with the lease's fence. The watermark moves only in the transaction that
ends a complete pass, to the newest time seen with every digit Microsoft sent, never by our clock. A pass that is
broken off goes on behind the page it had reached: while it waits, incidents can only move towards the front or further
back, never past the place where it stopped, and what moved to the front is newer than this pass's watermark.

``sync_tenant`` raises nothing of Microsoft's: every ending is an outcome that is written down by ``incidents.ending``.
"""

from datetime import datetime, timedelta
from typing import Final

import structlog
from django.utils import timezone

from defender.client import DefenderClient, IncidentPage
from defender.errors import DefenderError
from defender.times import later, parse_time
from incidents import ending, reconcile
from incidents.ending import SyncOutcome
from incidents.entries import newest_until
from incidents.passes import MARGIN, Pass, begin, state_of, written
from incidents.store import store_page
from tenants import leases
from tenants.alarms import clear_alarm, raise_alarm
from tenants.leases import Fenced, Lease, Progress
from tenants.models import SyncRun, SyncState

log = structlog.get_logger("portal.sync")
Kind = SyncRun.Kind
Ended = SyncRun.Ended

# Ours: Microsoft's clock and ours may differ by so much before somebody is told, …
SKEW: Final = timedelta(minutes=2)
SKEW_ALARM: Final = "clock-skew"
# … and an incident dated further ahead than this of Microsoft's own clock does not move the watermark.
AHEAD: Final = timedelta(minutes=10)
# Rows of a page that whoever goes on reads again, in case some in front of them have vanished meanwhile.
SHARED: Final = 10
# Longest time text that is kept as it is; longer ones (more than seven digits, an offset) are written anew, cut.
LONGEST_TIME: Final = 40


def sync_tenant(
    *,
    client: DefenderClient,
    now: datetime,
    lease: Lease,
    kind: str | None = None,
    state: SyncState | None = None,
) -> SyncOutcome:
    """One pass under a lease, which is given back at its end. ``kind`` is decided by what is due unless given.

    ``state`` saves a query where the caller has read it (with its tenant) under this lease. Raises only what is a fault
    of the portal or its database; the caller ends such a pass with ``ending.internal``.
    """
    work = begin(lease=lease, state=state or state_of(lease), now=now, kind=kind)
    try:
        return _run(work, client, now)
    except Fenced:
        log.warning("pass fenced", epoch=lease.epoch)
        return work.outcome(Ended.FENCED, detail="Another worker took over, or the tenant was disconnected.")


def _run(work: Pass, client: DefenderClient, now: datetime) -> SyncOutcome:
    try:
        if not _read(work, client, now):
            return ending.stopped(work.lease, work.state, work.outcome(Ended.STOPPED))
    except DefenderError as error:
        return ending.failed(work.lease, work.state, work.outcome(ending.ended_by(error)), error)
    reconcile.look_closer(work, client, now)
    return ending.complete(
        work.lease,
        work.state,
        work.outcome(Ended.COMPLETE),
        watermark=_watermark(work),
        sweep_cursor=work.sweep_cursor,
    )


def _read(work: Pass, client: DefenderClient, now: datetime) -> bool:
    """Read and store to the last page. False if the time for one pass ran out before."""
    for page in client.incident_pages(since=work.since, top=work.page_size, skip=work.skip):
        _store(work, page, now)
        # A pass that begins late still gets two pages further, since it reads some rows again.
        if page.next_skip is not None and work.pages > 1 and work.is_late:
            return False
    return True


def _store(work: Pass, page: IncidentPage, now: datetime) -> None:
    """One page in, its progress kept in the same transaction; whoever goes on begins with its last rows."""
    work.server_time = page.server_time or work.server_time
    _watch_clocks(page, work.kind, now)
    work.pages += 1
    work.newest = later(work.newest, _believable(page, work.server_time))
    progress = Progress(
        kind=work.kind,
        since=work.since,
        skip=_resume_at(page),
        newest=work.newest,
        began_at=work.began_at,
        pages=work.pages_before + work.pages,
        seen=work.seen_before + work.seen + len(page.items),
    )
    result = store_page(
        tenant=work.tenant, items=page.items, now=now, fence=lambda: leases.fence(work.lease, progress=progress)
    )
    work.count(result)
    if not result.newest_first and not work.notes:
        work.notes.append("Microsoft sent a page that was not ordered newest first.")


def _resume_at(page: IncidentPage) -> int:
    """Where whoever goes on begins: beyond this page but for its last rows, so that one page at a time gets further."""
    if page.next_skip is None:
        return page.skip
    return max(page.skip, page.next_skip - min(SHARED, len(page.items) // 2))


def _believable(page: IncidentPage, server_time: datetime | None) -> str:
    """The newest time of the page, incidents dated ahead of Microsoft's own clock left aside."""
    text = newest_until(page.items, (server_time or timezone.now() + MARGIN) + AHEAD)
    moment = parse_time(text)
    return written(moment) if moment and len(text) > LONGEST_TIME else text


def _watch_clocks(page: IncidentPage, kind: str, now: datetime) -> None:
    if page.server_time is None or page.skip:
        return
    skew = abs(page.server_time - timezone.now())
    if skew <= SKEW and kind == Kind.SWEEP:
        clear_alarm(key=SKEW_ALARM, now=now)
    if skew > SKEW:
        raise_alarm(
            key=SKEW_ALARM,
            sentence=f"This machine's clock and Microsoft's differ by {skew.total_seconds():.0f} seconds.",
            step="Check time synchronisation (NTP) on the worker's machine.",
            now=now,
        )


def _watermark(work: Pass) -> str:
    """The newest time of the pass; after a first pass over a tenant without incidents, Microsoft's clock."""
    if parse_time(work.newest):
        return work.newest
    return written(work.server_time) if work.server_time and work.kind == Kind.BACKFILL and not work.seen else ""
