"""What a pass is: which one is due, from when it reads, and what it has brought so far."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings

from defender.client import LARGEST_PAGE
from defender.times import parse_time
from incidents.ending import SyncOutcome
from incidents.stopping import is_stopping
from incidents.store import Change, PageResult, Was
from tenants import scope
from tenants.leases import Lease, fence
from tenants.models import SyncRun, SyncState, Tenant

Kind = SyncRun.Kind

# A clock of ours is used once, for the first pass; a day more makes up for any clock that is wrong by less.
MARGIN: Final = timedelta(days=1)
# Ours: no incident is older. One that says so had its date set wrong, and years of fewer digits are refused.
OLDEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
# A pass that was broken off longer ago than this begins anew.
CONTINUED_WITHIN: Final = timedelta(hours=24)


@dataclass(slots=True)
class Pass:
    """One pass while it runs. Counts and ``started_at`` are of this part; ``newest`` and ``began_at`` of the whole.

    ``missing``, ``outdated`` and ``silent`` are a sweep's findings over the whole pass; ``unordered`` says that a page
    was not ordered newest first.
    """

    lease: Lease
    state: SyncState
    kind: str
    since: str
    started_at: datetime
    began_at: datetime
    skip: int = 0
    newest: str = ""
    reached: str = ""
    whole: bool = True
    page_size: int = LARGEST_PAGE
    sweep_cursor: int | None = None
    unordered: bool = False
    bytes: int = 0
    last_number: int | None = None
    missing: int = 0
    outdated: int = 0
    silent: int = 0
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
    limit: timedelta = field(default_factory=lambda: settings.SYNC_PASS_LIMIT)
    clock: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """How long this part has taken so far."""
        return time.monotonic() - self.clock

    @property
    def is_late(self) -> bool:
        """Whether this pass has to make room: its time or its bytes are used up, or the worker ends."""
        return self.seconds > self.limit.total_seconds() or self.bytes > settings.SYNC_PASS_BYTES or is_stopping()

    @property
    def is_slow(self) -> bool:
        """Whether it has taken so long that the tenant belongs into the slow lane."""
        return self.seconds > settings.SYNC_QUICK_LIMIT.total_seconds() / 2

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

    def weigh(self, changes: tuple[Change, ...]) -> None:
        """What a sweep has found, of incidents that a poll before it should have brought."""
        expected = self.state.watermark and self.state.watermark - settings.SYNC_OVERLAP
        if self.kind != Kind.SWEEP or expected is None:
            return
        for change in changes:
            moment = parse_time(change.updated_text)
            is_due = moment is not None and moment <= expected
            self.missing += is_due and change.was == Was.ABSENT
            self.outdated += is_due and change.was == Was.OLDER
            self.silent += change.was == Was.OF_THE_SAME_TIME

    @property
    def found(self) -> dict[str, int]:
        """A sweep's findings so far, for the state, so that whoever goes on counts on from there."""
        return {"pass_missing": self.missing, "pass_outdated": self.outdated, "pass_silent": self.silent}

    def fence(self) -> None:
        """Raise Fenced where the lease is no longer ours."""
        fence(self.lease)

    def read_again(self) -> None:
        """From the first page once more; counts go on."""
        self.skip, self.newest, self.unordered, self.whole = 0, "", False, True


def state_of(lease: Lease) -> SyncState:
    """The claimed tenant's state, with the tenant."""
    with scope.operations():
        return SyncState.objects.select_related("tenant").get(tenant_id=lease.tenant_id)


def states_of(leases: Iterable[Lease]) -> dict[int, SyncState]:
    """The claimed tenants' states by tenant, each with its tenant, in one query."""
    with scope.operations():
        held = SyncState.objects.select_related("tenant").filter(tenant_id__in=[lease.tenant_id for lease in leases])
        return {state.tenant_id: state for state in held}


def begin(*, lease: Lease, state: SyncState, now: datetime, kind: str | None = None, is_quick: bool = False) -> Pass:
    """The pass that is due: the one that was broken off, else the first sync, the sweep, or a poll. Writes nothing.

    A quick one has SYNC_QUICK_LIMIT; then it goes on in the slow lane. ``now`` is only shown to people: what is due is
    decided by the claim's moment, since the dates in the state are of the database's clock too.
    """
    moment = lease.claimed_at
    work = Pass(lease=lease, state=state, kind="", since="", started_at=now, began_at=moment)
    work.limit = settings.SYNC_QUICK_LIMIT if is_quick else settings.SYNC_PASS_LIMIT
    work.page_size, work.sweep_cursor = _page_size(state.failures), state.sweep_cursor
    if _goes_on(state, moment) and kind in (None, state.pass_kind):
        work.kind, work.since, work.began_at = state.pass_kind, state.pass_since, state.pass_started_at or moment
        work.skip, work.newest, work.whole = state.pass_skip, state.pass_newest, False
        work.pages_before, work.seen_before = state.progress_pages, state.progress_seen
        work.missing, work.outdated, work.silent = state.pass_missing, state.pass_outdated, state.pass_silent
    else:
        work.kind = kind or kind_due(state, moment)
        work.since = _since(state, work.kind, moment)
    return work


def _goes_on(state: SyncState, now: datetime) -> bool:
    """Whether a pass that got beyond its first page waits to be continued."""
    began = state.pass_started_at
    return bool(state.pass_kind and state.pass_skip and began and now - began < CONTINUED_WITHIN)


def kind_due(state: SyncState, now: datetime) -> str:
    """Which kind of pass a new one would be."""
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
    return written(max(state.watermark - back, OLDEST))


def written(moment: datetime) -> str:
    """As Microsoft writes times."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _page_size(failures: int) -> int:
    """Smaller pages after repeated failures: some answers fail for their size alone, and so each gets through."""
    return max(1, LARGEST_PAGE >> 2 * max(0, failures - 1))
