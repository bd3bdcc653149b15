"""Who works on which tenant: leases with an epoch, claimed, extended and settled in PostgreSQL.

The contract. A tenant is worked on by the holder of its lease. Every claim makes the epoch one larger, and each page's
transaction begins with ``fence``: it extends the lease if the epoch is still ours, raises Fenced if not, and locks the
row, so that a worker that was thought dead writes nothing. A worker that dies leaves a lease that runs out.

All times here are the database's clock: workers on several machines have several clocks, and a lease means nothing
unless everybody reads the same one. A claim makes the tenant due at the moment of the claim. So a broken-off pass is
due as soon as its lease ends, and a wish for another pass that comes meanwhile ("sync now") is seen as later.
"""

import os
import socket
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Case, DateTimeField, ExpressionWrapper, F, When
from django.db.models.functions import Now

from tenants import scope
from tenants.models import SYNCING, SyncState, Tenant


class Fenced(Exception):
    """The lease has gone to another worker, or the tenant was disconnected: stop and write nothing more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A claimed tenant. ``claimed_at`` and ``until`` are the database's time."""

    tenant_id: int
    epoch: int
    until: datetime
    claimed_at: datetime


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


# Another worker's claim is skipped, not waited for. Due tenants are found by the index on next_due_at. Materialised,
# because a planner that joins to the limited look-up row by row would run it again for each row and claim more than it.
_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT s.id FROM tenants_syncstate s JOIN tenants_tenant t ON t.id = s.tenant_id
    WHERE t.state = ANY (%(states)s) AND (s.lease_until IS NULL OR s.lease_until <= statement_timestamp())
        AND {}
    ORDER BY s.next_due_at LIMIT %(limit)s FOR UPDATE OF s SKIP LOCKED
)
UPDATE tenants_syncstate AS mine
SET lease_owner = %(owner)s, lease_until = statement_timestamp() + %(length)s, lease_epoch = mine.lease_epoch + 1,
    next_due_at = statement_timestamp()
FROM due
WHERE mine.id = due.id
RETURNING mine.tenant_id, mine.lease_epoch, mine.lease_until, mine.next_due_at
"""
_CLAIM_DUE = _CLAIM.format("s.next_due_at <= statement_timestamp()")
_CLAIM_ONE = _CLAIM.format("s.tenant_id = %(tenant)s")

_FENCE = """
UPDATE tenants_syncstate SET lease_until = statement_timestamp() + %(length)s
WHERE tenant_id = %(tenant)s AND lease_epoch = %(epoch)s AND lease_until IS NOT NULL AND next_due_at IS NOT NULL
RETURNING 1
"""

_FENCE_WITH_PROGRESS = """
UPDATE tenants_syncstate SET lease_until = statement_timestamp() + %(length)s,
    pass_kind = %(kind)s, pass_since = %(since)s, pass_skip = %(skip)s, pass_newest = %(newest)s,
    pass_started_at = %(began_at)s, progress_pages = %(pages)s, progress_seen = %(seen)s
WHERE tenant_id = %(tenant)s AND lease_epoch = %(epoch)s AND lease_until IS NOT NULL AND next_due_at IS NOT NULL
RETURNING 1
"""


def owner() -> str:
    """This worker's name for a lease: machine, process, thread."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"[:120]


def claim_due(*, limit: int, owner: str) -> list[Lease]:
    """Take up to ``limit`` tenants that are due, connected and nobody's, the longest waiting first."""
    return _claim(_CLAIM_DUE, limit=limit, owner=owner)


def claim(tenant: Tenant, *, owner: str) -> Lease | None:
    """Take one tenant whether or not it is due; None while somebody holds it or it is not connected."""
    return next(iter(_claim(_CLAIM_ONE, tenant=tenant.pk, limit=1, owner=owner)), None)


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
        When(next_due_at__isnull=False, then=ExpressionWrapper(Now() + due_in, output_field=DateTimeField())),
    )
    held = SyncState.objects.filter(tenant_id=lease.tenant_id, lease_epoch=lease.epoch)
    if not held.update(lease_owner="", lease_until=None, next_due_at=planned, **values):
        raise Fenced(f"The lease of epoch {lease.epoch} is over.")


def ask_for_pass(tenant: Tenant) -> None:
    """Make a pass due now, also while one runs: it then follows at once."""
    SyncState.objects.filter(tenant_id=tenant.pk).update(next_due_at=Now())


def _claim(statement: str, **values: Any) -> list[Lease]:
    with scope.operations(), connection.cursor() as cursor:
        values |= {"length": settings.SYNC_LEASE, "states": [state.value for state in SYNCING]}
        cursor.execute(statement, values)
        rows = cursor.fetchall()
    return [Lease(tenant, epoch, until, claimed_at) for tenant, epoch, until, claimed_at in rows]
