"""``manage.py sync_now``: one pass inline, an honest exit status, and patience with a worker that holds the tenant."""

import io
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now

from audit.models import AuditEvent
from sandbox.world import World
from tenants import leases, scope
from tenants.models import SyncState, Tenant, TenantState
from tests.conftest import as_worker
from tests.incidents.arranged import connected_tenant
from tests.incidents.synced import assert_nothing_lost, cloud, ours, state_of


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    world = World(seed=7, tenants=["Contoso", "Fabrikam"], incidents=(30, 30), quotas=False)
    with cloud(world, settings) as running:
        yield running


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of a parallel run is told that its terminal is narrow."""
    monkeypatch.setenv("COLUMNS", "160")


def sync_now(*arguments: str) -> tuple[int, str]:
    """Exit status and standard output."""
    out = io.StringIO()
    with as_worker():
        try:
            call_command("sync_now", *arguments, stdout=out, stderr=io.StringIO())
        except SystemExit as ended:
            return int(ended.code or 0), out.getvalue()
    return 0, out.getvalue()


@pytest.mark.django_db
def test_one_pass_over_every_connected_tenant_whether_or_not_it_is_due(world: World) -> None:
    contoso, fabrikam = ours(world.tenant("Contoso")), ours(world.tenant("Fabrikam"))
    with scope.operations():
        SyncState.objects.update(next_due_at=Now() + timedelta(hours=1))
    status, printed = sync_now()
    assert status == 0
    for tenant in (contoso, fabrikam):
        assert_nothing_lost(tenant, world.tenant(tenant.name))
        (line,) = [line for line in printed.splitlines() if tenant.name in line]
        assert [cell.strip() for cell in line.split("│")[2:8]] == ["First sync", "Complete", "1", "30", "30", "0"]
    asked = AuditEvent.objects.filter(action="ask for a pass", actor="command line")
    assert set(asked.values_list("tenant", flat=True)) == {contoso.entra_id, fabrikam.entra_id}


@pytest.mark.django_db
def test_the_exit_status_is_one_if_a_single_pass_did_not_complete(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("incidents.management.commands.sync_now.TRIES", 1)
    contoso, fabrikam = ours(world.tenant("Contoso")), ours(world.tenant("Fabrikam"))
    world.faults.add(str(fabrikam.entra_id), {"kind": "status", "status": 503})
    status, printed = sync_now()
    assert status == 1
    assert "Will be tried again" in printed and "fault of its own" in " ".join(printed.split())
    assert_nothing_lost(contoso, world.tenant("Contoso"))
    assert sync_now("--tenant", "contoso")[0] == 0


@pytest.mark.django_db
def test_a_short_wait_that_microsoft_asks_for_is_kept_and_the_pass_completes(world: World) -> None:
    contoso = ours(world.tenant("Contoso"))
    world.faults.add(str(contoso.entra_id), {"kind": "throttle", "seconds": 1, "count": 2, "on": ["list"]})
    status, printed = sync_now()
    assert status == 0, printed
    assert_nothing_lost(contoso, world.tenant("Contoso"))
    (line,) = [line for line in printed.splitlines() if "Contoso" in line]
    assert [cell.strip() for cell in line.split("│")[3:7]] == ["Complete", "1", "30", "30"]


@pytest.mark.django_db
def test_a_long_wait_is_left_to_the_workers(world: World) -> None:
    contoso = ours(world.tenant("Contoso"))
    world.faults.add(str(contoso.entra_id), {"kind": "throttle", "seconds": 600, "on": ["list"]})
    status, printed = sync_now()
    assert status == 1 and "Waiting for Microsoft" in " ".join(printed.split())


@pytest.mark.django_db
def test_a_tenant_that_is_not_connected_is_refused_in_words(world: World) -> None:
    ours(world.tenant("Contoso"))
    with scope.operations():
        Tenant.objects.update(state=TenantState.CONSENT_LOST)
    with pytest.raises(CommandError, match=r"Contoso is not connected \(Consent lost\)"):
        call_command("sync_now", "--tenant", "contoso")
    assert sync_now()[0] == 0


class Worker(threading.Thread):
    """Another process in effect: holds the tenant until told to go, and then leaves it."""

    def __init__(self, tenant: Tenant) -> None:
        super().__init__(daemon=True)
        self.tenant = tenant
        self.holds, self.may_go = threading.Event(), threading.Event()

    def run(self) -> None:
        try:
            with as_worker():
                lease = leases.claim(self.tenant, owner="worker")
                assert lease
                self.holds.set()
                assert self.may_go.wait(20)
                with scope.operations():
                    leases.settle(lease, due_in=timedelta(hours=1))
        finally:
            connection.close()


def in_background() -> tuple[threading.Thread, list[tuple[int, str]]]:
    """The command at work, and where its result will be."""
    result: list[tuple[int, str]] = []

    def command() -> None:
        try:
            result.append(sync_now())
        finally:
            connection.close()

    thread = threading.Thread(target=command, daemon=True)
    thread.start()
    return thread, result


def test_it_waits_for_a_worker_that_holds_the_tenant_and_then_reads(committed: None, world: World) -> None:
    contoso = ours(world.tenant("Contoso"))
    worker = Worker(contoso)
    worker.start()
    assert worker.holds.wait(10)
    thread, result = in_background()
    thread.join(0.5)
    assert thread.is_alive() and state_of(contoso).pass_started_at is None, "it waits"
    worker.may_go.set()
    thread.join(20)
    worker.join(5)
    assert [status for status, _ in result] == [0]
    assert_nothing_lost(contoso, world.tenant("Contoso"))


def test_a_workers_pass_counts_if_it_began_after_the_command(committed: None, settings: Any) -> None:
    contoso = connected_tenant()
    worker = Worker(contoso)
    worker.start()
    assert worker.holds.wait(10)
    thread, result = in_background()
    thread.join(0.3)
    with scope.operations():
        SyncState.objects.update(pass_started_at=Now(), last_ok_at=Now())
    thread.join(20)
    worker.may_go.set()
    worker.join(5)
    ((status, printed),) = result
    assert status == 0 and "A worker has just read it." in printed
