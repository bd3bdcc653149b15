"""What workers do for incidents. Messages only wake; what is due stands in PostgreSQL.

A wake-up is cheap and may come twice: whoever claims a tenant first does the work, and the others find nothing. A
worker that is told to stop ends the pass it is in; one that is killed leaves a lease that runs out.
"""

import time

import structlog
from celery import shared_task
from django.utils import timezone

from defender.errors import DefenderError
from incidents import ending
from incidents.ending import SyncOutcome
from incidents.passes import state_of
from incidents.sync import sync_tenant
from tenants import leases
from tenants.clients import client_for
from tenants.leases import Fenced, Lease
from tenants.models import SyncRun

BUSY_FOR = 30.0  # seconds one wake-up goes on finding due tenants before it makes room


@shared_task(name="incidents.sync_due")
def sync_due() -> None:
    """One pass over every tenant that is due, the longest waiting first."""
    until = time.monotonic() + BUSY_FOR
    while time.monotonic() < until and (found := leases.claim_due(limit=1, owner=leases.owner())):
        sync_claimed(found[0])


def sync_claimed(lease: Lease, *, background: bool = True) -> SyncOutcome:
    """One pass over a claimed tenant; a fault of the portal itself is logged, and the others go on."""
    now, state = timezone.now(), state_of(lease)
    with structlog.contextvars.bound_contextvars(tenant=str(state.tenant.entra_id)):
        try:
            client = client_for(state.tenant, background=background)
            return sync_tenant(client=client, now=now, lease=lease, state=state)
        except DefenderError as error:  # our credential cannot even be loaded
            begun = SyncOutcome(ending.ended_by(error), SyncRun.Kind.POLL, now)
            return ending.failed(lease, state, begun, error)
        except Fenced:
            return SyncOutcome(SyncRun.Ended.FENCED, SyncRun.Kind.POLL, now)
        except Exception:  # noqa: BLE001  the outermost loop: one tenant's bug must not stop the others
            return ending.internal(lease, state, SyncRun.Kind.POLL, now)
