"""The portal's sync against the sandbox cloud: how tests start it, run a pass, and compare with the truth."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.utils import timezone

from incidents import shard
from incidents.ending import SyncOutcome
from incidents.models import Incident, IncidentRaw
from incidents.sync import sync_tenant
from sandbox.cast import Tenant as TheirTenant
from sandbox.server import running
from sandbox.world import World
from tenants import leases, scope, tokens
from tenants.clients import client_for
from tenants.models import Budget, SyncRun, SyncState, Tenant
from tests.conftest import as_worker
from tests.incidents.arranged import connected_tenant

SETTINGS = ("login", "xdr", "mde", "graph")


@contextmanager
def cloud(world: World, settings: Any) -> Iterator[World]:
    """The portal talks to this world for as long as the block runs."""
    with running(world) as server:
        settings.IS_SANDBOX, settings.MICROSOFT_CLOUD = True, "sandbox"
        settings.SANDBOX_URLS = dict.fromkeys(SETTINGS, server.url)
        settings.ENTRA_CREDENTIAL = {"ENTRA_CLIENT_SECRET": "sandbox-secret"}
        tokens.forget_everything()
        try:
            yield world
        finally:
            tokens.forget_everything()


def ours(theirs: TheirTenant) -> Tenant:
    """A tenant of the world as a connected tenant of the portal."""
    return connected_tenant(theirs.name.split()[0], entra_id=UUID(theirs.tenant_id))


def sync(tenant: Tenant, kind: str | None = None) -> SyncOutcome:
    """One pass as a worker runs it."""
    with as_worker():
        lease = leases.claim(tenant, owner="test")
        assert lease is not None, "somebody else holds the tenant"
        return sync_tenant(client=client_for(tenant), now=timezone.now(), lease=lease, kind=kind)


class SameThread(Executor):
    """Runs at once and here, on the connection whose transaction the test will roll back."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(work(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  as an executor does
            done.set_exception(error)
        return done


def sync_due(lane: shard.Lane = shard.QUICK) -> int:
    """What a wake-up does. Returns how many tenants were read."""
    with as_worker():
        return shard.work(lane, pool=SameThread())


def sync_until_complete(tenant: Tenant, *, at_most: int) -> list[SyncOutcome]:
    """Passes until one completes; waits that the portal would keep are over at once."""
    outcomes = []
    for _ in range(at_most):
        outcomes.append(sync(tenant))
        if outcomes[-1].is_complete:
            return outcomes
        forget_waits(tenant)
    raise AssertionError(f"not complete after {at_most} passes: {[outcome.detail for outcome in outcomes]}")


def forget_waits(tenant: Tenant) -> None:
    """As if the time to wait had passed."""
    with scope.operations():
        Budget.objects.filter(tenant=tenant).delete()


def state_of(tenant: Tenant) -> SyncState:
    with scope.operations():
        return SyncState.objects.get(tenant=tenant)


def runs_of(tenant: Tenant) -> list[SyncRun]:
    """Newest first."""
    with scope.operations():
        return list(SyncRun.objects.filter(tenant=tenant))


def held(tenant: Tenant) -> dict[int, Any]:
    """What we hold, from the bytes as stored; incidents that are gone are left out."""
    with scope.tenant(tenant.pk):
        bodies = IncidentRaw.objects.filter(incident__gone_at=None).values_list("incident__number", "body")
        return {number: json.loads(bytes(body)) for number, body in bodies}


def the(tenant: Tenant, number: int) -> Incident:
    with scope.tenant(tenant.pk):
        return Incident.objects.get(number=number)


def without_context(raw: dict[str, Any]) -> dict[str, Any]:
    """A single read names its context; the list does not."""
    return {key: value for key, value in raw.items() if not key.startswith("@odata")}


def assert_nothing_lost(tenant: Tenant, theirs: TheirTenant) -> None:
    """Every incident of theirs, in its last version; and nothing else."""
    mine, truth = held(tenant), theirs.book.truth()
    assert set(mine) == set(truth)
    assert {n for n, raw in truth.items() if without_context(mine[n]) != raw} == set()
