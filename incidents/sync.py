"""One pass over one tenant: watermark, pages, store, watermark.

The contract. A pass reads incidents newest first from the watermark less an overlap to the last page; each page is
stored in a transaction of its own that begins with the lease's fence. The watermark moves only in the transaction that
ends a complete pass, to the newest time seen with every digit Microsoft sent, never by our clock. A pass that is
broken off goes on behind the page it had reached: while it waits, incidents can only move towards the front or further
back, never past the place where it stopped, and what moved to the front is newer than this pass's watermark.

All this rests on the order. Where a page comes in another one, the whole window is read again until a reading brings
nothing, and the watermark stays where it was if none does.

``sync_tenant`` raises nothing of Microsoft's: every ending is an outcome that is written down by ``incidents.ending``.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.utils import timezone

from defender.client import LARGEST_PAGE, MAX_PAGES, DefenderClient, IncidentPage
from defender.errors import DefenderError, Transient
from defender.times import later, parse_time
from incidents import ending, quarantine, reconcile
from incidents.ending import SyncOutcome
from incidents.entries import Entry, newest_until, read_entry, span_of
from incidents.passes import MARGIN, Pass, begin, state_of, written
from incidents.store import store_page
from incidents.witness import witness
from tenants import leases
from tenants.alarms import clear_alarm, raise_alarm
from tenants.database import again_if_cut
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
# Answers that stay as they are for as long as one incident is among them: too large, or its brackets do not close.
SPOILED: Final = frozenset({"too-large", "truncated", "syntax"})
# Ours: how often a window is read again whose pages are not in order.
READ_AGAIN: Final = 3
# Longest time text that is kept as it is; longer ones (more than seven digits, an offset) are written anew, cut.
LONGEST_TIME: Final = 40


def sync_tenant(
    *,
    client: DefenderClient,
    now: datetime,
    lease: Lease,
    kind: str | None = None,
    state: SyncState | None = None,
    is_quick: bool = False,
    settle_idle: Callable[[Lease], object] = lambda lease: leases.settle_idle([lease]),
) -> SyncOutcome:
    """One pass under a lease, which is given back at its end. ``kind`` is decided by what is due unless given.

    ``state`` saves a query where the caller has read it (with its tenant) under this lease. A pass that brought
    nothing is settled by ``settle_idle``, so that a caller may settle many at once. Raises only what is a fault of the
    portal or its database; the caller ends such a pass with ``ending.internal``.
    """
    work = begin(lease=lease, state=state or state_of(lease), now=now, kind=kind, is_quick=is_quick)
    try:
        return _run(work, client, now, settle_idle)
    except Fenced:
        log.warning("pass fenced", epoch=lease.epoch)
        return work.outcome(Ended.FENCED, detail="Another worker took over, or the tenant was disconnected.")


def _run(work: Pass, client: DefenderClient, now: datetime, settle_idle: Callable[[Lease], object]) -> SyncOutcome:
    try:
        if not _read_in_order(work, client, now):
            return ending.stopped(work.lease, work.state, work.outcome(Ended.STOPPED), **work.found)
    except DefenderError as error:
        slow = work.is_slow or error.code == "too-large"
        outcome = work.outcome(ending.ended_by(error))
        return ending.failed(work.lease, work.state, outcome, error, is_slow=slow, **work.found)
    watermark = _watermark(work)
    if _is_idle(work, watermark):
        settle_idle(work.lease)
        return work.outcome(Ended.COMPLETE)
    gaps_left = reconcile.look_closer(work, client, now)
    return ending.complete(
        work.lease,
        work.state,
        work.outcome(Ended.COMPLETE),
        watermark=watermark,
        sweep_cursor=work.sweep_cursor,
        gaps_left=gaps_left,
        is_slow=work.is_slow,
        pass_started_at=work.began_at,
    )


def _is_idle(work: Pass, watermark: str) -> bool:
    """Whether nothing has to be written but that the pass was made."""
    state = work.state
    is_settled = not (state.failures or state.last_error_code or state.pass_kind or state.gaps_left or work.is_slow)
    is_known = state.backfilled_at is not None and state.sweep_due_at is not None and work.sweep_cursor is None
    return (
        is_settled
        and is_known
        and work.pages == 1
        and not work.pages_before
        and not work.targets
        and work.outcome(Ended.COMPLETE).is_idle
        and later(state.watermark_text, watermark) == state.watermark_text
    )


def _read_in_order(work: Pass, client: DefenderClient, now: datetime) -> bool:
    """Read to the last page, and again where pages were not in order until nothing new comes. False if time ran out."""
    for turn in range(1 + READ_AGAIN):
        before = work.new + work.changed
        if not _read(work, client, now):
            return False
        if not work.unordered:
            return True
        if turn and work.new + work.changed == before:
            work.unordered = False
            return True
        if turn < READ_AGAIN:
            work.read_again()
    work.notes.append("The window did not come to rest, so the next pass reads it again.")
    return True


def _read(work: Pass, client: DefenderClient, now: datetime) -> bool:
    """Read and store to the last page. False if the time for one pass ran out before."""
    while True:
        # Of the whole pass: a list that never ends is broken off again and again before this part would notice.
        left = MAX_PAGES - work.pages_before - work.pages
        try:
            for page in client.incident_pages(
                since=work.since, top=lambda: work.page_size, skip=work.skip, max_pages=left
            ):
                _store(work, page, now)
                # A pass that begins late still gets two pages further, since it reads some rows again.
                if page.next_skip is not None and work.pages > 1 and work.is_late:
                    return False
            return True
        except Transient as error:
            if not _step_over(work, client, error, now):
                raise


def _step_over(work: Pass, client: DefenderClient, error: Transient, now: datetime) -> bool:
    """Whether one incident alone spoils the list, since the one behind it can be read; it is then left out.

    It is put aside without bytes, people are told, and the look for gaps in the numbers asks for it by its own.
    """
    if work.page_size > 1 or not (error.code.startswith("http-5") or error.code in SPOILED):
        return False
    try:
        next(client.incident_pages(since=work.since, top=1, skip=work.skip + 1))
    except DefenderError:
        return False
    place = f"behind incident {work.last_number}" if work.last_number else f"at place {work.skip + 1} of the list"
    sentence = f"Microsoft's list cannot be read where it comes to the incident {place}."
    quarantine.not_served(tenant=work.tenant, place=place, sentence=sentence, now=now, fence=work.fence)
    step = "It is left out of the list and looked for by its number. If it stays so, report it to Microsoft."
    raise_alarm(key=f"not-served-{work.tenant.pk}", sentence=f"{work.tenant.name}: {sentence}", step=step, now=now)
    work.notes.append(sentence)
    work.quarantined += 1
    work.skip += 1
    return True


def _store(work: Pass, page: IncidentPage, now: datetime) -> None:
    """One page in, its progress kept in the same transaction; whoever goes on begins with its last rows."""
    # Not further ahead than any clock of ours is behind: a date from nowhere must not become a watermark.
    work.server_time = min(page.server_time, timezone.now() + MARGIN) if page.server_time else work.server_time
    _watch_clocks(page, work.kind, now)
    entries = [read_entry(item) for item in page.items]
    work.pages += 1
    work.bytes += len(page.body)
    work.newest = later(work.newest, _believable(entries, work.server_time))
    _note_order(work, entries)
    work.reached = next((text for e in reversed(entries) if 0 < len(text := e.updated_text) <= LONGEST_TIME), "")
    result = again_if_cut(
        lambda: store_page(
            tenant=work.tenant,
            items=entries,
            now=now,
            fence=lambda: leases.fence(work.lease, progress=_progress(work, page)),
            always_fence=page.next_skip is not None,
        )
    )
    if entries:
        again_if_cut(lambda: witness(tenant_id=work.tenant.pk, entries=entries, now=now))
    work.count(result)
    work.weigh(result.changes)
    work.skip = page.next_skip if page.next_skip is not None else page.skip
    work.last_number = next((entry.number for entry in reversed(entries) if entry.number), work.last_number)
    work.page_size = min(2 * work.page_size, LARGEST_PAGE)


def _note_order(work: Pass, entries: Sequence[Entry]) -> None:
    """Before the page is stored, so that the progress kept with it knows."""
    if not work.unordered and not span_of(entries).newest_first:
        work.unordered = True
        work.notes[:] = ["Microsoft sent a page that was not ordered newest first, so the window was read again."]


def _progress(work: Pass, page: IncidentPage) -> Progress:
    """A reading that is out of order claims nothing: should it break off, only what is read after that can be claimed,
    and the next pass reads the rest of the window again."""
    return Progress(
        kind=work.kind,
        since=work.since,
        skip=_resume_at(page),
        newest="" if work.unordered else work.newest,
        began_at=work.began_at,
        pages=work.pages_before + work.pages,
        seen=work.seen_before + work.seen + len(page.items),
        reached=work.reached,
        missing=work.missing,
        outdated=work.outdated,
        silent=work.silent,
    )


def _resume_at(page: IncidentPage) -> int:
    """Where whoever goes on begins: beyond this page but for its last rows, so that one page at a time gets further."""
    if page.next_skip is None:
        return page.skip
    return max(page.skip, page.next_skip - min(SHARED, len(page.items) // 2))


def _believable(entries: Sequence[Entry], server_time: datetime | None) -> str:
    """The newest time of the page, incidents dated ahead of Microsoft's own clock left aside."""
    text = newest_until(entries, (server_time or timezone.now() + MARGIN) + AHEAD)
    if len(text) <= LONGEST_TIME:
        return text
    moment = parse_time(text)
    return written(moment) if moment else ""


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
    if work.unordered:
        return ""
    if parse_time(work.newest):
        return work.newest
    return written(work.server_time) if work.server_time and work.kind == Kind.BACKFILL and not work.seen else ""
