"""The way to PostgreSQL or Redis is cut: nothing is lost, and workers go on by themselves."""

import os
import pickle
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from kombu.exceptions import ContentDisallowed
from kombu.serialization import loads

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


def test_sync_f34_a_message_that_is_not_json_is_refused_before_it_is_read() -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.kill, (os.getpid(), 9)

    assert app.conf.accept_content == ["json"]
    with pytest.raises(ContentDisallowed):
        loads(pickle.dumps(Trap()), "application/x-python-serialize", "binary", accept={"application/json"})
