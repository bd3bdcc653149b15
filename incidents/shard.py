"""A shard of due tenants: claimed in one statement, read at the same time, settled together.

The contract. A lane is a number of threads; all of them share one pool of connections to Microsoft and one to
PostgreSQL. A shard takes no more tenants than its lane has room for. Each tenant is read under its own lease, which the
shard's own thread keeps alive for as long as a pass may take and no longer. Passes that brought nothing are settled
many at once. Whoever is told to stop ends its passes at the next page and hands back what it has not begun.

There are two lanes, so that tenants whose passes take long hold up none of the others: the quick one cuts a pass short
after SYNC_QUICK_LIMIT, and the tenant goes on in the slow one.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Final

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from defender.errors import DefenderError
from incidents import ending
from incidents.ending import SyncOutcome
from incidents.passes import kind_due, state_of, states_of
from incidents.stopping import is_stopping
from incidents.sync import sync_tenant
from tenants import leases
from tenants.clients import client_for
from tenants.database import CUT, again_if_cut
from tenants.leases import Fenced, Lease
from tenants.models import SyncRun, SyncState

log = structlog.get_logger("portal.sync")

BUSY_FOR: Final = 30.0  # seconds one wake-up goes on claiming shards before it makes room
FEW: Final = 2  # threads a shard begins with
LOOK_EVERY: Final = 0.02  # seconds after which there are twice as many, while tenants wait
SETTLE_EVERY: Final = 0.5  # seconds that a pass which brought nothing waits to be settled with others, at most
WAITING: Final = 2  # tenants per thread that may be claimed at a time: one that is read and one that is next
SLACK: Final = 90.0  # seconds that a pass may outlast its limit: the last call's deadline and the storing of its page


@dataclass
class Lane:
    """So many threads of this process for one kind of tenants."""

    name: str
    is_slow: bool
    in_flight: int = 0
    _pool: ThreadPoolExecutor | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def threads(self) -> int:
        """How many tenants are read at once."""
        return settings.SYNC_SLOW_THREADS if self.is_slow else settings.SYNC_THREADS

    @property
    def pool(self) -> ThreadPoolExecutor:
        """The threads, made on first use in the process that uses them."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix=f"sync-{self.name}")
            return self._pool

    @property
    def room(self) -> int:
        """How many more tenants may be claimed."""
        return max(0, WAITING * self.threads - self.in_flight)

    def count(self, more: int) -> None:
        """Tenants come in, or leave."""
        with self._lock:
            self.in_flight += more


QUICK: Final = Lane("quick", is_slow=False)
SLOW: Final = Lane("slow", is_slow=True)


def work(lane: Lane, *, pool: Executor | None = None) -> int:
    """Claim and read shards of one lane until nothing is due, there is no room, or BUSY_FOR is over.

    Returns the number of passes begun. ``pool`` is the lane's own unless given.
    """
    until, passes = time.monotonic() + BUSY_FOR, 0
    while time.monotonic() < until and not is_stopping() and (limit := min(lane.room, settings.SYNC_SHARD)):
        claimed = again_if_cut(
            lambda limit=limit: leases.claim_due(limit=limit, owner=leases.owner(), slow=lane.is_slow)  # type: ignore[misc]
        )
        if not claimed:
            break
        passes += len(claimed)
        Shard(lane, claimed).run(pool or lane.pool)
    return passes


class Shard:
    """Tenants claimed together. ``run`` returns when each has been settled or handed back."""

    def __init__(self, lane: Lane, claimed: Sequence[Lease]) -> None:
        self.lane, self.claimed = lane, claimed
        self._next: deque[tuple[Lease, SyncState]] = deque()
        self._begun: dict[int, float] = {}
        self._done: set[int] = set()
        self._idle: deque[Lease] = deque()
        self._unused: deque[Lease] = deque()

    def run(self, pool: Executor) -> None:
        """Read them all. Faults of one tenant stay with it."""
        states = again_if_cut(lambda: states_of(self.claimed))
        self._next.extend((lease, states[lease.tenant_id]) for lease in self.claimed if lease.tenant_id in states)
        self.lane.count(len(self.claimed))
        try:
            self._read_all(pool)
        finally:
            self.lane.count(-len(self.claimed))

    def _read_all(self, pool: Executor) -> None:
        """Begin with few threads and add more for as long as tenants wait: answers that come at once need no more, and
        threads that only wait for each other cost half as much again."""
        readers = [pool.submit(self._pull) for _ in range(FEW)]
        settled = beat = time.monotonic()
        while wait(readers, timeout=LOOK_EVERY if self._next else SETTLE_EVERY).not_done:
            more = min(len(readers), self.lane.threads - len(readers), len(self._next))
            readers += [pool.submit(self._pull) for _ in range(more)]
            now = time.monotonic()
            if now - settled >= SETTLE_EVERY:
                settled = now
                self._settle()
            if now - beat > settings.SYNC_LEASE.total_seconds() / 3:
                beat = now
                self._tell(lambda: leases.extend([lease for lease in self.claimed if self._is_alive(lease)]))
        self._settle()

    def _pull(self) -> None:
        """One thread: tenant after tenant until none waits."""
        while True:
            try:
                lease, state = self._next.popleft()
            except IndexError:
                return
            try:
                self._read(lease, state)
            except Exception:  # the outermost loop of a thread: the lease runs out, and the others go on
                log.exception("pass given up")
            self._done.add(lease.tenant_id)

    def _settle(self) -> None:
        """Settle what has come in. What cannot be settled now waits for the next turn; after the last one, leases run
        out, and their tenants are read again."""
        for waiting, settle in ((self._idle, leases.settle_idle), (self._unused, leases.hand_back)):
            taken = [waiting.popleft() for _ in range(len(waiting))]
            if taken and not self._tell(lambda taken=taken, settle=settle: settle(taken)):  # type: ignore[misc]
                waiting.extend(taken)

    def _tell(self, what: Callable[[], object]) -> bool:
        """Whether PostgreSQL heard it. Where it did not, the threads that read must not be left without this one, which
        keeps their leases alive."""
        try:
            again_if_cut(what)
        except (DatabaseError, InterfaceError) as error:
            log.warning("leases could not be kept up", error=str(error)[:200])
            return False
        return True

    def _is_alive(self, lease: Lease) -> bool:
        """Whether a lease deserves a sign of life: not once its pass is over or has taken longer than any pass can."""
        if lease.tenant_id in self._done:
            return False
        begun = self._begun.get(lease.tenant_id)
        limit = settings.SYNC_PASS_LIMIT if self.lane.is_slow else settings.SYNC_QUICK_LIMIT
        return begun is None or time.monotonic() - begun < limit.total_seconds() + SLACK

    def _read(self, lease: Lease, state: SyncState) -> None:
        """One tenant, in a thread of the lane."""
        if is_stopping():
            self._unused.append(lease)
            return
        self._begun[lease.tenant_id] = time.monotonic()
        try:
            read_claimed(lease, state, is_quick=not self.lane.is_slow, settle_idle=self._idle.append)
        finally:
            if not connection.in_atomic_block:
                connection.close()  # back into the pool: more threads read than there are connections


def read_claimed(
    lease: Lease,
    state: SyncState | None = None,
    *,
    background: bool = True,
    is_quick: bool = False,
    settle_idle: Callable[[Lease], object] = lambda lease: leases.settle_idle([lease]),
) -> SyncOutcome | None:
    """One pass over a claimed tenant; a fault of the portal itself is logged, and the others go on.

    None where the way to PostgreSQL was cut: the lease runs out, and the tenant is read again from where it was.
    """
    now = timezone.now()
    state = state or state_of(lease)
    kind = kind_due(state, lease.claimed_at)
    with structlog.contextvars.bound_contextvars(tenant=str(state.tenant.entra_id)):
        try:
            client = client_for(state.tenant, background=background, prepaid=lease.prepaid)
            return sync_tenant(
                client=client, now=now, lease=lease, state=state, is_quick=is_quick, settle_idle=settle_idle
            )
        except DefenderError as error:  # our credential cannot even be loaded
            begun = SyncOutcome(ending.ended_by(error), kind, now)
            return ending.failed(lease, state, begun, error)
        except Fenced:
            return SyncOutcome(SyncRun.Ended.FENCED, kind, now)
        except CUT as error:
            log.warning("pass broken off by the database", error=str(error)[:200])
            return None
        except Exception:  # noqa: BLE001  the outermost loop: one tenant's bug must not stop the others
            return ending.internal(lease, state, kind, now)
