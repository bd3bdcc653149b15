"""Who carries a tenant's changes to Microsoft: claims with an epoch, as ``tenants.leases`` has them for reading.

One worker at a time writes to a tenant, so an incident's changes leave in the order in which they were decided. Every
transaction of a delivery checks the epoch, and so does every call right before it goes out: a worker that was thought
dead neither writes nor sends anything. No call may last longer than the claim (``tenants.tokens.transport``).

Whoever locks both locks intents first and the delivery after them, as a decision's trigger does.
"""

from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.db import connection

from incidents.models import UNSENT, IntentState
from tenants import scope
from tenants.leases import Fenced


@dataclass(frozen=True, slots=True)
class Claim:
    """A tenant whose changes this worker carries."""

    tenant_id: int
    epoch: int


_CLAIM: Final = """
WITH due AS MATERIALIZED (
    SELECT d.id FROM incidents_delivery d
    WHERE d.due_at <= statement_timestamp() AND (d.lease_until IS NULL OR d.lease_until <= statement_timestamp())
    ORDER BY d.due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE incidents_delivery AS mine SET lease_owner = %(owner)s, lease_until = statement_timestamp() + %(length)s,
    lease_epoch = mine.lease_epoch + 1
FROM due WHERE mine.id = due.id RETURNING mine.tenant_id, mine.lease_epoch
"""
_FENCE: Final = """
UPDATE incidents_delivery SET lease_until = statement_timestamp() + %(length)s
WHERE tenant_id = %(tenant)s AND lease_epoch = %(epoch)s AND lease_until IS NOT NULL RETURNING 1
"""
# Of an intent ``i``: what is not at Microsoft yet waits for earlier decisions about the same incident. Parameters are
# those of ``waiting``.
IN_TURN: Final = """(i.state = %(sent)s OR NOT EXISTS (
    SELECT 1 FROM incidents_intent e WHERE e.tenant_id = i.tenant_id AND e.incident_id = i.incident_id
        AND e.batch_id < i.batch_id AND e.state = ANY (%(unsent)s)))"""
# After the fence, which holds the row: a decision that comes now waits for it and then makes the date earlier again.
_GIVE_BACK: Final = f"""
UPDATE incidents_delivery SET lease_owner = '', lease_until = NULL, due_at = (
    SELECT min(i.due_at) FROM incidents_intent i
    WHERE i.tenant_id = %(tenant)s AND i.due_at IS NOT NULL AND {IN_TURN})
WHERE tenant_id = %(tenant)s AND lease_epoch = %(epoch)s
"""  # noqa: S608  a constant of this file
# Of those that nobody works on. A claim that has run out is due at once.
_NEXT: Final = """
SELECT extract(epoch FROM min(greatest(due_at, lease_until)) - statement_timestamp())
FROM incidents_delivery WHERE due_at IS NOT NULL
"""


def claim_due(*, limit: int, owner: str) -> list[Claim]:
    """Take up to ``limit`` tenants with something due that nobody works on, the longest waiting first."""
    with scope.operations(), connection.cursor() as cursor:
        values: dict[str, Any] = {"limit": limit, "owner": owner, "length": settings.SYNC_LEASE}
        cursor.execute(_CLAIM, values)
        return [Claim(*row) for row in cursor.fetchall()]


def fence(claim: Claim) -> None:
    """Extend the claim in the caller's transaction. Raises Fenced where it has gone to another worker."""
    with connection.cursor() as cursor:
        cursor.execute(_FENCE, _of(claim))
        if cursor.fetchone() is None:
            raise Fenced(f"The claim of epoch {claim.epoch} is over.")


def fence_now(claim: Claim) -> None:
    """The same in a transaction of its own: the last thing before a call."""
    with scope.operations():
        fence(claim)


def give_back(claim: Claim) -> None:
    """The tenant is due again with its earliest intent, or not at all. Raises Fenced where the claim is gone."""
    with scope.tenant(claim.tenant_id), connection.cursor() as cursor:
        fence(claim)
        cursor.execute(_GIVE_BACK, {**_of(claim), **waiting()})


def next_due_in() -> float | None:
    """Seconds until a tenant is due, 0 or less where one is already; None where none is."""
    with scope.operations(), connection.cursor() as cursor:
        cursor.execute(_NEXT)
        row = cursor.fetchone()
    return None if row is None or row[0] is None else float(row[0])


def waiting() -> dict[str, Any]:
    """The parameters of ``IN_TURN``."""
    return {"sent": IntentState.SENT.value, "unsent": [state.value for state in UNSENT]}


def _of(claim: Claim) -> dict[str, Any]:
    return {"tenant": claim.tenant_id, "epoch": claim.epoch, "length": settings.SYNC_LEASE}
