"""A shard of due tenants: read at the same time, each under its own lease, settled together, handed back when told."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from incidents import shard, stopping
from incidents.models import Incident
from sandbox.world import World
from tenants import leases, scope
from tenants.models import Budget, SyncRun, SyncState, Tenant
from tests.conftest import database_role
from tests.incidents.synced import assert_nothing_lost, cloud, ours, runs_of, state_of, sync_due

NAMES = ["Contoso", "Fabrikam", "Northwind Traders", "Adventure Works", "Tailspin Toys"]


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    with cloud(World(seed=7, tenants=NAMES, incidents=(12, 12), quotas=False), settings) as world:
        for tenant in world.tenants.values():
            world.set_state(tenant, "connected")
        yield world


@pytest.fixture
def tenants(world: World) -> list[Tenant]:
    return [ours(world.tenant(name)) for name in NAMES]


@pytest.fixture
def told_to_stop() -> Iterator[None]:
    stopping.stop()
    yield
    stopping.go_on()


def due_again() -> None:
    with scope.operations():
        SyncState.objects.update(next_due_at=datetime.now(UTC) - timedelta(seconds=1))
        Budget.objects.all().delete()


def lists(world: World, since: int = 0) -> int:
    return sum(call.operation == "list" for call in world.calls.since(since))


@pytest.mark.django_db
def test_one_wake_up_reads_every_due_tenant_once(world: World, tenants: list[Tenant]) -> None:
    assert sync_due() == len(tenants)
    for tenant, name in zip(tenants, NAMES, strict=True):
        assert_nothing_lost(tenant, world.tenant(name))
    assert lists(world) == len(tenants)
    assert sync_due() == 0


@pytest.mark.django_db
def test_passes_that_bring_nothing_are_settled_together_and_write_nothing_else(
    world: World, tenants: list[Tenant]
) -> None:
    sync_due()
    due_again()
    before = [(state_of(tenant).watermark_text, len(runs_of(tenant))) for tenant in tenants]
    with connection.execute_wrapper(counting := Counting()):
        assert sync_due() == len(tenants)
    assert [(state_of(tenant).watermark_text, len(runs_of(tenant))) for tenant in tenants] == before
    writes = [
        sql.split()[0:2] for sql in counting.statements if sql.lstrip().startswith(("UPDATE", "INSERT", "DELETE"))
    ]
    assert writes == [["UPDATE", "tenants_syncstate"]], "one statement settles them all"
    assert all(state_of(tenant).lease_until is None for tenant in tenants)


class Counting:
    """Notes every statement."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.statements.append(sql)
        return execute(sql, params, many, context)


@pytest.mark.django_db
def test_sync_f31_a_worker_that_is_told_to_stop_claims_nothing(
    world: World, tenants: list[Tenant], told_to_stop: None
) -> None:
    assert sync_due() == 0
    assert lists(world) == 0


@pytest.mark.django_db
def test_sync_f31_what_was_claimed_and_not_begun_is_handed_back(tenants: list[Tenant], told_to_stop: None) -> None:
    from tests.conftest import as_worker
    from tests.incidents.synced import SameThread

    with as_worker():
        claimed = leases.claim_due(limit=10, owner="leaving")
        shard.Shard(shard.QUICK, claimed).run(SameThread())
        assert len(claimed) == len(tenants)
        assert {lease.tenant_id for lease in leases.claim_due(limit=10, owner="next")} == {t.pk for t in tenants}


@pytest.mark.django_db
def test_sync_f31_a_pass_that_runs_ends_at_its_page_and_goes_on_elsewhere(settings: Any) -> None:
    with cloud(World(seed=3, tenants=["Contoso"], incidents=(450, 450), quotas=False), settings) as world:
        contoso = ours(world.tenant("Contoso"))
        stopping.go_on()
        draw = world.faults.draw

        def stop_at_the_second_page(tenant_id: str | None, operation: str) -> Any:
            if operation == "list" and lists(world) == 1:
                stopping.stop()
            return draw(tenant_id, operation)

        world.faults.draw = stop_at_the_second_page  # type: ignore[method-assign]
        try:
            sync_due()
        finally:
            stopping.go_on()
        state = state_of(contoso)
        assert (runs_of(contoso)[0].ended, state.pass_skip, state.lease_until) == (SyncRun.Ended.STOPPED, 190, None)
        assert not state.is_slow, "it was not the tenant's fault"
        assert state.next_due_at is not None and state.next_due_at <= timezone.now() + timedelta(seconds=1)
        sync_due()
        assert_nothing_lost(contoso, world.tenant("Contoso"))


@pytest.mark.django_db
def test_sync_f35_a_pass_that_takes_long_goes_on_in_the_slow_lane_and_comes_back(
    world: World, tenants: list[Tenant], settings: Any
) -> None:
    world.faults.add(world.tenant("Contoso").tenant_id, {"kind": "slow", "seconds": 0.6, "on": ["list"]})
    settings.SYNC_QUICK_LIMIT = timedelta(seconds=1)
    sync_due()
    assert [state_of(tenant).is_slow for tenant in tenants] == [True, False, False, False, False]
    due_again()
    assert sync_due() == 4
    world.faults.clear()
    assert sync_due(shard.SLOW) == 1
    assert not state_of(tenants[0]).is_slow


@pytest.mark.django_db
def test_sync_f35_a_pass_makes_room_after_so_many_bytes(settings: Any) -> None:
    settings.SYNC_PASS_BYTES = 1
    with cloud(World(seed=3, tenants=["Contoso"], incidents=(350, 350), quotas=False), settings) as world:
        contoso = ours(world.tenant("Contoso"))
        sync_due()
        assert runs_of(contoso)[0].ended == SyncRun.Ended.STOPPED
        assert state_of(contoso).is_slow


def test_a_shard_reads_on_many_threads_and_keeps_its_leases_alive(committed: None, settings: Any) -> None:
    """Real threads and connections; a pass takes longer than a lease, though no single answer may."""
    settings.SYNC_LEASE = timedelta(seconds=2)
    with cloud(World(seed=7, tenants=NAMES, incidents=(12, 12), quotas=False), settings) as world:
        for theirs in world.tenants.values():
            world.set_state(theirs, "connected")
        tenants = [ours(world.tenant(name)) for name in NAMES]
        world.faults.add(None, {"kind": "slow", "seconds": 0.8, "on": ["list", "discovery", "token"]})
        stolen: list[int] = []
        done = threading.Event()

        def rival() -> None:
            with database_role("worker"):
                while not done.is_set():
                    stolen.extend(lease.tenant_id for lease in leases.claim_due(limit=10, owner="rival"))
                    time.sleep(0.1)
            connection.close()

        lane = shard.Lane("test", is_slow=False)
        connection.settings_dict["OPTIONS"]["options"] = "-c role=portal_worker"
        connection.close()
        try:
            claimed = leases.claim_due(limit=10, owner=leases.owner())
            thread = threading.Thread(target=rival)
            thread.start()
            shard.Shard(lane, claimed).run(lane.pool)
            done.set()
            thread.join()
        finally:
            done.set()
            connection.settings_dict["OPTIONS"]["options"] = "-c role=portal_owner"
            connection.close()
        assert stolen == []
        assert lane.in_flight == 0
        for tenant in tenants:
            with scope.tenant(tenant.pk):
                assert Incident.objects.count() == 12


def test_sync_f33_a_flood_of_wake_ups_asks_microsoft_no_more_than_one(committed: None, settings: Any) -> None:
    with cloud(World(seed=7, tenants=["Contoso"], incidents=(12, 12), quotas=False), settings) as world:
        ours(world.tenant("Contoso"))
        from tests.incidents.synced import SameThread

        with database_role("worker"):
            for _ in range(200):
                shard.work(shard.QUICK, pool=SameThread())
        assert lists(world) == 1
