"""What a pass is: which one is due, from when it reads, and what it has brought so far."""

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings

from defender.client import LARGEST_PAGE
from incidents.ending import SyncOutcome
from incidents.store import PageResult
from tenants import scope
from tenants.leases import Lease
from tenants.models import SyncRun, SyncState, Tenant

Kind = SyncRun.Kind

# Our clock is used once, for the first pass; a day more makes up for any clock that is wrong by less.
MARGIN: Final = timedelta(days=1)
# A pass that was broken off longer ago than this begins anew.
CONTINUED_WITHIN: Final = timedelta(hours=24)


@dataclass(slots=True)
class Pass:
    """One pass while it runs. Counts and ``started_at`` are of this part; ``newest`` and ``began_at`` of the whole."""

    lease: Lease
    state: SyncState
    kind: str
    since: str
    started_at: datetime
    began_at: datetime
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
    until: float = field(default_factory=lambda: time.monotonic() + settings.SYNC_PASS_LIMIT.total_seconds())

    @property
    def is_late(self) -> bool:
        """Whether the time for one pass is over (``until``, monotonic)."""
        return time.monotonic() > self.until

    @property
    def tenant(self) -> Tenant:
        """Whose incidents are read."""
        return self.state.tenant

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


def state_of(lease: Lease) -> SyncState:
    """The claimed tenant's state, with the tenant."""
    with scope.operations():
        return SyncState.objects.select_related("tenant").get(tenant_id=lease.tenant_id)


def begin(*, lease: Lease, state: SyncState, now: datetime, kind: str | None = None) -> Pass:
    """The pass that is due: the one that was broken off, else the first sync, the sweep, or a poll. Writes nothing."""
    work = Pass(lease=lease, state=state, kind="", since="", started_at=now, began_at=now)
    work.page_size, work.sweep_cursor = _page_size(state.failures), state.sweep_cursor
    if _goes_on(state, now) and kind in (None, state.pass_kind):
        work.kind, work.since, work.began_at = state.pass_kind, state.pass_since, state.pass_started_at or now
        work.skip, work.newest, work.whole = state.pass_skip, state.pass_newest, False
        work.pages_before, work.seen_before = state.progress_pages, state.progress_seen
    else:
        work.kind = kind or _kind_due(state, now)
        work.since = _since(state, work.kind, now)
    return work


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
        return written(now - settings.SYNC_BACKFILL - MARGIN)
    back: timedelta = {Kind.SWEEP: settings.SYNC_SWEEP_WINDOW, Kind.BACKFILL: settings.SYNC_BACKFILL}.get(
        Kind(kind), settings.SYNC_OVERLAP
    )
    return written(state.watermark - back)


def written(moment: datetime) -> str:
    """As Microsoft writes times."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _page_size(failures: int) -> int:
    """Smaller pages after repeated failures: some answers fail for their size alone, and so each gets through."""
    return max(1, LARGEST_PAGE >> max(0, failures - 2))
