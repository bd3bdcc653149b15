"""The portal's Celery app with two more tasks: an empty one, and a poll of one tenant per task as it is often built."""

from celery import shared_task

from portal.celery import app

__all__ = ["app"]


@shared_task(name="bench.empty")
def empty() -> None:
    """What a message costs that does nothing."""


@shared_task(name="bench.one_tenant", queue="one")
def one_tenant() -> None:
    """One due tenant, one task."""
    from incidents.shard import read_claimed
    from tenants import leases

    for lease in leases.claim_due(limit=1, owner=leases.owner()):
        read_claimed(lease)
