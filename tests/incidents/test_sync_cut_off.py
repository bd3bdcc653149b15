"""The way to PostgreSQL or Redis is cut: nothing is lost, and workers go on by themselves."""

import os
import pickle
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from kombu.exceptions import ContentDisallowed
from kombu.serialization import loads
from psycopg import sql

from incidents import shard
from portal import waking
from portal.celery import app
from portal.database_roles import connection_arguments
from sandbox.world import World
from tenants import leases, scope
from tenants.database import again_if_cut
from tenants.models import SyncState
from tests.incidents.arranged import connected_tenant
from tests.incidents.synced import assert_nothing_lost, cloud, ours, sync_due


@pytest.fixture
def as_worker_process(committed: None) -> Iterator[None]:
    """This thread's connection is a worker's, also when it is made anew."""
    options = connection.settings_dict["OPTIONS"]
    before = options["options"]
    options["options"] = "-c role=portal_worker"
    connection.close()
    yield
    options["options"] = before
    connection.close()


def cut() -> None:
    """The server ends our connection, as a restart does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    with psycopg.connect(**connection_arguments(connection.settings_dict), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_sync_f27_a_claim_whose_connection_was_cut_is_made_once_more(as_worker_process: None) -> None:
    connected_tenant()
    cut()
    assert len(again_if_cut(lambda: leases.claim_due(limit=5, owner="one"))) == 1


def test_sync_f27_what_is_no_cut_is_not_tried_again(as_worker_process: None) -> None:
    tries = []

    def too_long() -> None:
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 1")
            cursor.execute("SELECT pg_sleep(1)")

    with pytest.raises(OperationalError):
        again_if_cut(too_long)
    assert len(tries) == 1


def test_sync_f27_inside_a_transaction_nothing_is_done_twice(as_worker_process: None) -> None:
    connected_tenant()
    with pytest.raises(OperationalError), scope.operations():
        cut()
        again_if_cut(lambda: SyncState.objects.count())


@pytest.mark.django_db
def test_sync_f25_f26_a_worker_that_nobody_wakes_looks_for_itself_what_is_due(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cloud(World(seed=7, tenants=["Contoso"], incidents=(12, 12)), settings) as world:
        contoso = ours(world.tenant("Contoso"))
        now = time.monotonic()
        monkeypatch.setitem(waking._heard, "incidents.sync_due", now)
        wake = settings.SYNC_WAKE.total_seconds()
        assert not waking.is_missing("incidents.sync_due", now=now + waking.PATIENCE * wake)
        assert waking.is_missing("incidents.sync_due", now=now + waking.PATIENCE * wake + 1)
        read: list[int] = []
        monkeypatch.setitem(waking.WOKEN, "incidents.sync_due", lambda: read.append(sync_due()))
        monkeypatch.setattr(connection, "close", lambda: None)
        waking.wake_ourselves("incidents.sync_due")
        assert read == [1]
        assert_nothing_lost(contoso, world.tenant("Contoso"))


def only_reading(is_on: bool) -> None:
    """The database takes no write until told otherwise, as a standby; whoever is connected connects anew."""
    with psycopg.connect(**connection_arguments(connection.settings_dict), autocommit=True) as other:
        other.execute("SET default_transaction_read_only = off")
        name = sql.Identifier(connection.settings_dict["NAME"])
        value = sql.SQL("on" if is_on else "off")
        other.execute(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}").format(name, value))
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


def test_sync_f27_a_database_that_takes_no_writes_for_a_while_costs_a_lease_and_nothing_else(
    as_worker_process: None, settings: Any
) -> None:
    settings.SYNC_LEASE = timedelta(seconds=2)
    names = ["Contoso", "Fabrikam"]
    with cloud(World(seed=7, tenants=names, incidents=(12, 12), quotas=False), settings) as world:
        world.set_state(world.tenant("Fabrikam"), "connected")
        tenants, lane = [ours(world.tenant(name)) for name in names], shard.Lane("test", is_slow=False)
        assert shard.work(lane) == 2
        with scope.operations():
            SyncState.objects.update(next_due_at=timezone.now() - timedelta(seconds=1))
        claimed = leases.claim_due(limit=5, owner="one")
        only_reading(True)
        shard.Shard(lane, claimed).run(lane.pool)
        assert lane.in_flight == 0
        only_reading(False)
        again: list[leases.Lease] = []
        for _ in range(100):
            again += again_if_cut(lambda: leases.claim_due(limit=5, owner="two"))
            if len(again) == 2:
                break
            time.sleep(0.1)
        shard.Shard(lane, again).run(lane.pool)
        with scope.operations():
            assert SyncState.objects.filter(lease_until=None, last_ok_at__gt=claimed[0].until).count() == 2
        for tenant, name in zip(tenants, names, strict=True):
            assert_nothing_lost(tenant, world.tenant(name))


def pool_of_this_process() -> Any:
    """Django's, which its types do not tell of."""
    return connection.pool  # type: ignore[attr-defined]


@pytest.fixture
def pooled(as_worker_process: None) -> Iterator[None]:
    """Connections come from a pool, as in a worker."""
    connection.settings_dict["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 2, "timeout": 20}
    yield
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    del connection.settings_dict["OPTIONS"]["pool"]


def connections_out(pool: Any) -> int:
    """How many are not in the pool; one that is given back arrives a moment later, by a thread of the pool's own."""
    until = time.monotonic() + 2
    while True:
        stats = pool.get_stats()
        used = int(stats["pool_size"] - stats["pool_available"])
        if not used or time.monotonic() > until:
            return used
        time.sleep(0.01)


def test_sync_f35_who_waits_for_microsoft_keeps_no_connection_to_the_database(pooled: None, settings: Any) -> None:
    with cloud(World(seed=7, tenants=["Contoso"], incidents=(150, 150), quotas=False), settings) as world:
        contoso, draw, in_use = ours(world.tenant("Contoso")), world.faults.draw, []
        (lease,) = leases.claim_due(limit=1, owner="one")
        pool = pool_of_this_process()

        def counted(tenant_id: str | None, operation: str) -> Any:
            in_use.append((operation, connections_out(pool)))
            return draw(tenant_id, operation)

        world.faults.draw = counted  # type: ignore[method-assign]
        outcome = shard.read_claimed(lease)
        assert outcome is not None and outcome.pages == 2
        assert [used for operation, used in in_use if operation == "list"] == [0, 0]
        assert {used for operation, used in in_use if operation == "token"} == {0}
        assert_nothing_lost(contoso, world.tenant("Contoso"))


def test_a_turn_without_a_message_that_fails_does_not_end_the_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setitem(waking.WOKEN, "incidents.sync_due", broken)
    monkeypatch.setattr(connection, "close", lambda: None)
    waking.wake_ourselves("incidents.sync_due")


def test_sync_f34_a_message_that_is_not_json_is_refused_before_it_is_read() -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.kill, (os.getpid(), 9)

    assert app.conf.accept_content == ["json"]
    with pytest.raises(ContentDisallowed):
        loads(pickle.dumps(Trap()), "application/x-python-serialize", "binary", accept={"application/json"})
