"""What workers do for incidents. Messages only wake; what is due stands in PostgreSQL.

A wake-up is cheap and may come twice: whoever claims a tenant first does the work, and the others find nothing. A
worker that is told to stop ends its passes at the next page; one that is killed leaves leases that run out.
"""

from celery import shared_task

from incidents import shard


@shared_task(name="incidents.sync_due")
def sync_due() -> None:
    """One pass over every tenant that is due, the longest waiting first."""
    shard.work(shard.QUICK)


@shared_task(name="incidents.sync_slow")
def sync_slow() -> None:
    """The same over tenants whose passes take long, which have threads of their own."""
    shard.work(shard.SLOW)
