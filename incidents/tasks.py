"""What workers do for incidents. Messages only wake; what is due stands in PostgreSQL.

A wake-up is cheap and may come twice: whoever claims a tenant first does the work, and the others find nothing. A
worker that is told to stop ends its passes at the next page; one that is killed leaves leases that run out.
"""

from typing import Any

from celery import shared_task
from django.conf import settings

from incidents import deliveries, outbox, shard


@shared_task(name="incidents.sync_due")
def sync_due() -> None:
    """One pass over every tenant that is due, the longest waiting first."""
    shard.work(shard.QUICK)


@shared_task(name="incidents.sync_slow")
def sync_slow() -> None:
    """The same over tenants whose passes take long, which have threads of their own."""
    shard.work(shard.SLOW)


@shared_task(name="incidents.deliver_due", bind=True)
def deliver_due(self: Any) -> None:
    """Carry what analysts decided to Microsoft, tenant by tenant.

    Where something falls due before the next wake-up, such as the end of a time for undoing, it wakes a worker once
    more then: an analyst looks at the clock.
    """
    outbox.work()
    wait = deliveries.next_due_in()
    if not self.request.called_directly and wait is not None and wait < settings.SYNC_WAKE.total_seconds():
        deliver_soon.apply_async(countdown=max(wait, 0.05), expires=max(wait, 0) + 60)


@shared_task(name="incidents.deliver_soon")
def deliver_soon() -> None:
    """The same between two wake-ups; it wakes nobody, so that one wake-up has one of these at most."""
    outbox.work()
