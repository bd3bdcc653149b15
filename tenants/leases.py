"""Who works on which tenant: leases with an epoch, claimed, extended and settled in PostgreSQL.

The contract. A tenant is worked on by the holder of its lease. Every claim makes the epoch one larger, and each page's
transaction begins with ``fence``: it extends the lease if the epoch is still ours, raises Fenced if not, and locks the
row, so that a worker that was thought dead writes nothing. A worker that dies leaves a lease that runs out.

Due tenants are claimed in shards: one statement finds them, takes a call from each one's budget and hands out the
leases. A tenant without a call left is put off to the moment at which it has one. Passes that found nothing new are
settled together, again in one statement.

All times here are the database's clock: workers on several machines have several clocks, and a lease means nothing
unless everybody reads the same one. A claim makes the tenant due at the moment of the claim. So a broken-off pass is
due as soon as its lease ends, and a wish for another pass that comes meanwhile ("sync now") is seen as later.
"""

import os
import socket
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Case, DateTimeField, ExpressionWrapper, F, QuerySet, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from tenants import budget, scope
from tenants.models import SYNCING, SyncState, Tenant


class Fenced(Exception):
    """The lease has gone to another worker, or the tenant was disconnected: stop and write nothing more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A claimed tenant. ``claimed_at`` and ``until`` are the database's time; ``prepaid`` calls have been debited."""

    tenant_id: int
    epoch: int
    until: datetime
    claimed_at: datetime
    prepaid: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pass has come, kept with each page so that another worker can go on: see SyncState's ``pass_*``."""

    kind: str
    since: str
    skip: int
    newest: str
    began_at: datetime
    pages: int
    seen: int
    reached: str = ""
    missing: int = 0
    outdated: int = 0
    silent: int = 0


# Another worker's claim is skipped, not waited for. Due tenants are found by the index on next_due_at. Materialised,
# because a planner that joins to the limited look-up row by row would run it again for each row and claim more than it.
_FREE = """
    SELECT s.id, s.tenant_id, statement_timestamp() AS now
    FROM tenants_syncstate s JOIN tenants_tenant t ON t.id = s.tenant_id
    WHERE t.state = ANY (%(states)s) AND (s.lease_until IS NULL OR s.lease_until <= statement_timestamp())
        AND {}
    ORDER BY s.next_due_at LIMIT %(limit)s FOR UPDATE OF s SKIP LOCKED
"""
_TAKEN = """
    UPDATE tenants_syncstate AS mine
    SET lease_owner = %(owner)s, lease_until = statement_timestamp() + %(length)s, lease_epoch = mine.lease_epoch + 1,
        next_due_at = statement_timestamp()
    FROM {} WHERE mine.id = due.id
    RETURNING mine.tenant_id, mine.lease_epoch, mine.lease_until, mine.next_due_at
"""
_CLAIM_ONE = f"WITH due AS MATERIALIZED ({_FREE.format('s.tenant_id = %(tenant)s')}) {_TAKEN.format('due')}"
# One statement for a shard. Tenants whose budget is spent are not claimed: they are due when it has a call again.
_CLAIM_DUE = f"""
WITH due AS MATERIALIZED (
    {
    _FREE.format(
        "s.next_due_at <= statement_timestamp() AND s.is_slow = %(slow)s"
        " AND (s.breaker_until IS NULL OR s.breaker_until <= statement_timestamp())"
    )
}),
debited AS ({budget.debiting("SELECT tenant_id, now FROM due ORDER BY tenant_id", background=True)}),
put_off AS (
    UPDATE tenants_syncstate AS mine SET next_due_at = greatest(
        {budget.free_at("due.now", background=True)}, due.now + interval '1 second')
    FROM due JOIN tenants_budget b ON b.tenant_id = due.tenant_id AND b.verb = %(verb)s
    WHERE mine.id = due.id AND NOT EXISTS (SELECT 1 FROM debited WHERE debited.tenant_id = due.tenant_id)
)
{_TAKEN.format("due JOIN debited ON debited.tenant_id = due.tenant_id")}
"""  # noqa: S608  only the constants of this file and of the budget's are pasted in

_FENCE = """
UPDATE tenants_syncstate SET lease_until = statement_timestamp() + %(length)s
WHERE tenant_id = %(tenant)s AND lease_epoch = %(epoch)s AND lease_until IS NOT NULL AND next_due_at IS NOT NULL
RETURNING 1
"""

_FENCE_WITH_PROGRESS = """
UPDATE tenants_syncstate SET lease_until = statement_timestamp() + %(length)s,
    pass_kind = %(kind)s, pass_since = %(since)s, pass_skip = %(skip)s, pass_newest = %(newest)s,
    pass_started_at = %(began_at)s, progress_pages = %(pages)s, progress_seen = %(seen)s,
    progress_reached = %(reached)s,
    pass_missing = %(missing)s, pass_outdated = %(outdated)s, pass_silent = %(silent)s
WHERE tenant_id = %(tenant)s AND lease_epoch = %(epoch)s AND lease_until IS NOT NULL AND next_due_at IS NOT NULL
RETURNING 1
"""


# Several leases at once, each as long as its epoch is ours. A wish that came after the claim stays due.
_HELD = "FROM unnest(%(tenants)s::bigint[], %(epochs)s::bigint[]) AS held(tenant_id, epoch)"
_OURS = "mine.tenant_id = held.tenant_id AND mine.lease_epoch = held.epoch AND mine.lease_until IS NOT NULL"
_EXTEND = f"UPDATE tenants_syncstate AS mine SET lease_until = statement_timestamp() + %(length)s {_HELD} WHERE {_OURS}"  # noqa: S608
_HAND_BACK = f"UPDATE tenants_syncstate AS mine SET lease_owner = '', lease_until = NULL {_HELD} WHERE {_OURS}"  # noqa: S608
# A claim leaves its own moment in next_due_at, and only a wish makes it later.
_SETTLE_IDLE = f"""
UPDATE tenants_syncstate AS mine SET lease_owner = '', lease_until = NULL, last_ok_at = statement_timestamp(),
    is_slow = false, pass_started_at = held.claimed_at, next_due_at = CASE
        WHEN mine.next_due_at > held.claimed_at THEN mine.next_due_at
        WHEN mine.next_due_at IS NOT NULL THEN statement_timestamp() + %(due_in)s END
FROM unnest(%(tenants)s::bigint[], %(epochs)s::bigint[], %(claimed)s::timestamptz[])
    AS held(tenant_id, epoch, claimed_at)
WHERE {_OURS}
RETURNING mine.tenant_id
"""  # noqa: S608

# Nobody sets such dates: they were written while the database's clock was ahead.
_PUT_RIGHT = """
UPDATE tenants_syncstate AS mine SET
    next_due_at = CASE WHEN mine.next_due_at > clock.now + %(wait)s THEN clock.now ELSE mine.next_due_at END,
    breaker_until = CASE WHEN mine.breaker_until <= clock.now + %(wait)s THEN mine.breaker_until END,
    lease_until = CASE WHEN mine.lease_until > clock.now + %(lease)s THEN clock.now ELSE mine.lease_until END,
    sweep_due_at = CASE WHEN mine.sweep_due_at > clock.now + %(sweep)s THEN clock.now ELSE mine.sweep_due_at END
FROM (SELECT statement_timestamp() AS now) AS clock
WHERE mine.next_due_at > clock.now + %(wait)s OR mine.breaker_until > clock.now + %(wait)s
    OR mine.lease_until > clock.now + %(lease)s OR mine.sweep_due_at > clock.now + %(sweep)s
RETURNING 1
"""
# Clocks are set back by less than this all the time.
_SLACK = timedelta(minutes=1)


def owner() -> str:
    """This worker's name for a lease: machine, process, thread."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"[:120]


def claim_due(*, limit: int, owner: str, slow: bool = False) -> list[Lease]:
    """Take up to ``limit`` due tenants of one lane that nobody holds, the longest waiting first.

    Each lease has one list call prepaid from the tenant's budget.
    """
    values = budget.parameters("list", background=True)
    return _claim(_CLAIM_DUE, prepaid=1, limit=limit, owner=owner, slow=slow, **values)


def claim(tenant: Tenant, *, owner: str) -> Lease | None:
    """Take one tenant whether or not it is due; None while somebody holds it or it is not connected."""
    return next(iter(_claim(_CLAIM_ONE, tenant=tenant.pk, limit=1, owner=owner)), None)


def extend(leases: Collection[Lease]) -> None:
    """A sign of life: all these leases run anew from now, but for those that have gone to somebody else."""
    _together(_EXTEND, leases, length=settings.SYNC_LEASE)


def hand_back(leases: Collection[Lease]) -> None:
    """Give leases back unused: the tenants are due as they were, and the first to be taken next."""
    _together(_HAND_BACK, leases)


def settle_idle(leases: Sequence[Lease]) -> set[int]:
    """Complete passes that brought nothing: leases back, due again after SYNC_POLL. Returns the tenants settled.

    A tenant that is not among them has gone to another worker, which reads it anyway.
    """
    claimed = [lease.claimed_at for lease in leases]
    rows = _together(_SETTLE_IDLE, leases, claimed=claimed, due_in=settings.SYNC_POLL)
    return {tenant_id for (tenant_id,) in rows}


def _together(statement: str, leases: Collection[Lease], **values: Any) -> list[tuple[Any, ...]]:
    if not leases:
        return []
    values |= {"tenants": [lease.tenant_id for lease in leases], "epochs": [lease.epoch for lease in leases]}
    with scope.operations(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall()) if cursor.description else []


def put_dates_right() -> int:
    """After the database's clock was set back: tenants whose dates lie further ahead than any wait are due at once.

    Returns how many there were.
    """
    longest = max(settings.SYNC_LONGEST_WAIT, settings.SYNC_POLL, settings.CREDENTIAL_WAIT, budget.LONGEST_BLOCK)
    values: dict[str, Any] = {
        "wait": 1.5 * longest + _SLACK,
        "lease": settings.SYNC_LEASE + _SLACK,
        "sweep": 1.5 * settings.SYNC_SWEEP + _SLACK,
    }
    with scope.operations(), connection.cursor() as cursor:
        cursor.execute(_PUT_RIGHT, values)
        return len(cursor.fetchall())


def fence(lease: Lease, *, progress: Progress | None = None) -> None:
    """Extend the lease inside the caller's transaction and note the progress. Raises Fenced if it is no longer ours."""
    values: dict[str, Any] = {"tenant": lease.tenant_id, "epoch": lease.epoch, "length": settings.SYNC_LEASE}
    if progress is not None:
        values |= {name: getattr(progress, name) for name in Progress.__slots__}
    with connection.cursor() as cursor:
        cursor.execute(_FENCE if progress is None else _FENCE_WITH_PROGRESS, values)
        if cursor.fetchone() is None:
            raise Fenced(f"The lease of epoch {lease.epoch} is over.")


def settle(lease: Lease, *, due_in: timedelta, **values: Any) -> None:
    """Give the lease back, in the caller's transaction: due again after ``due_in``, ``values`` go into SyncState.

    A wish for a pass that came after the claim stays due; a tenant that was disconnected stays without a date. Raises
    Fenced if the lease is no longer ours.
    """
    planned = Case(
        When(next_due_at__gt=lease.claimed_at, then=F("next_due_at")),
        When(next_due_at__isnull=False, then=after(due_in)),
    )
    held = SyncState.objects.filter(tenant_id=lease.tenant_id, lease_epoch=lease.epoch)
    if not held.update(lease_owner="", lease_until=None, next_due_at=planned, **values):
        raise Fenced(f"The lease of epoch {lease.epoch} is over.")


def after(wait: timedelta) -> Combinable:
    """The moment at which ``wait`` is over, by the database's clock: for an update."""
    return ExpressionWrapper(Now() + wait, output_field=DateTimeField())


def ask_for_pass(tenant: Tenant) -> None:
    """Make a pass due now, also while one runs: it then follows at once. A person's wish closes the breaker."""
    _read_ones(tenant).update(next_due_at=Now(), breaker_until=None)


def ask_for_check(tenant: Tenant) -> None:
    """Make a sweep due now, which reads the whole window again and counts what is missing."""
    _read_ones(tenant).update(sweep_due_at=Now(), next_due_at=Now(), breaker_until=None)


def _read_ones(tenant: Tenant) -> QuerySet[SyncState]:
    """The tenant's state unless it was disconnected meanwhile: a date would let a pass that still runs go on."""
    return SyncState.objects.filter(tenant_id=tenant.pk, next_due_at__isnull=False)


def _claim(statement: str, *, prepaid: int = 0, **values: Any) -> list[Lease]:
    with scope.operations(), connection.cursor() as cursor:
        values |= {"length": settings.SYNC_LEASE, "states": [state.value for state in SYNCING]}
        cursor.execute(statement, values)
        rows = cursor.fetchall()
    return [Lease(tenant, epoch, until, claimed_at, prepaid) for tenant, epoch, until, claimed_at in rows]
