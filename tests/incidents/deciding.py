"""How tests decide as a person does, carry it to the sandbox as a worker does, and look at both ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from audit.record import Actor
from incidents import outbox, triage
from incidents.models import Delivery, Intent
from incidents.triage import Answer, Bulk, Decision, Target
from sandbox.cast import Tenant as TheirTenant
from sandbox.world import World
from tenants import scope
from tenants.models import Budget, Tenant
from tests.conftest import as_worker, database_role
from tests.incidents.synced import SameThread

BY = Actor("Alice (#1)", "request-1", "192.0.2.1")
# Far enough back that the time for undoing is over.
LONG_AGO = timedelta(minutes=5)


@contextmanager
def at_work(user: User) -> Iterator[None]:
    """As a page or the API acts for a person."""
    with database_role("web"), scope.person(user):
        yield


def decide(
    user: User, *targets: Target | tuple[str, int], key: str = "key-1", now: datetime | None = None, **decision: Any
) -> Bulk:
    """One decision; made five minutes ago unless told otherwise."""
    chosen = [one if isinstance(one, Target) else Target(*one) for one in targets]
    at = now or timezone.now() - LONG_AGO
    with at_work(user):
        return triage.decide(user=user, by=BY, targets=chosen, decision=Decision(**decision), key=key, now=at)


def settle(user: User, intent: Intent, choice: str) -> Answer:
    """A person's choice, made now."""
    with at_work(user):
        return triage.settle(user=user, by=BY, intent=intent.pk, choice=choice, now=timezone.now())


def intents(tenant: Tenant) -> list[Intent]:
    """All of a tenant, oldest first."""
    with scope.tenant(tenant.pk):
        return list(Intent.objects.select_related("user").order_by("pk"))


def states(tenant: Tenant) -> list[tuple[str, str]]:
    """(field, state) of all of a tenant, oldest first."""
    return [(intent.field, intent.state) for intent in intents(tenant)]


def the_intent(tenant: Tenant, field: str = "status") -> Intent:
    """The only one of its field."""
    (found,) = [intent for intent in intents(tenant) if intent.field == field]
    return found


def carry() -> int:
    """What a wake-up does. Returns how many tenants were claimed."""
    with as_worker():
        return outbox.work(pool=SameThread())


def wait_over(tenant: Tenant, **past: float) -> None:
    """As if every wait of the tenant's changes, and of its budget, were over."""
    before = timezone.now() - timedelta(**(past or {"seconds": 1}))
    with scope.tenant(tenant.pk):
        Intent.objects.exclude(due_at=None).update(due_at=before)
    with scope.operations():
        Budget.objects.filter(tenant=tenant).delete()
        Delivery.objects.filter(tenant=tenant).update(lease_until=None)


def patches(world: World) -> int:
    """How many PATCHes have reached the sandbox."""
    return sum(call.operation == "patch" for call in world.calls.since(0))


def remote(theirs: TheirTenant, number: int) -> dict[str, Any]:
    """The incident as the sandbox has it now."""
    return theirs.book.truth()[number]


def comments(theirs: TheirTenant, number: int) -> list[str]:
    """The texts of its comments at the sandbox."""
    return [one["comment"] for one in remote(theirs, number).get("comments") or []]
