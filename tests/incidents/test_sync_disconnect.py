"""Staff disconnect a tenant while a worker is at it: neither waits for the other for ever."""

import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.utils import timezone

from audit.record import WORKER
from defender.errors import ConsentMissing
from incidents import ending
from incidents.ending import SyncOutcome
from incidents.models import Incident
from incidents.passes import state_of
from incidents.store import store_page
from tenants import consent, leases, scope
from tenants.connection import lock
from tenants.leases import Lease
from tenants.models import SyncRun, SyncState, Tenant, TenantState
from tests.databases import in_threads
from tests.incidents.arranged import connected_tenant, incident, sent

Ended, Kind = SyncRun.Ended, SyncRun.Kind


def until_somebody_waits() -> None:
    """Until another transaction waits for a lock of ours."""
    for _ in range(200):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("nobody waits")


def at_once(*works: Callable[[], Any]) -> list[Any]:
    return in_threads(lambda number: works[number](), len(works), role="worker")


def claimed(tenant: Tenant) -> Lease:
    lease = leases.claim(tenant, owner="one")
    assert lease is not None
    return lease


def now_in(tenant: Tenant) -> TenantState:
    with scope.operations():
        assert SyncState.objects.get(tenant=tenant).next_due_at is None
        return TenantState(Tenant.objects.get(pk=tenant.pk).state)


def disconnect(tenant: Tenant) -> None:
    with scope.operations():
        consent.disconnect(tenant=tenant, by=WORKER, now=timezone.now())


def test_a_tenant_is_disconnected_while_a_page_of_it_is_being_stored(committed: None) -> None:
    contoso, fenced = connected_tenant(), threading.Event()

    def store() -> None:
        lease = claimed(contoso)

        def fence() -> None:
            leases.fence(lease)
            fenced.set()
            until_somebody_waits()

        store_page(tenant=contoso, items=[sent(incident(1))], now=timezone.now(), fence=fence)

    def staff() -> None:
        assert fenced.wait(10)
        disconnect(contoso)

    at_once(store, staff)
    assert now_in(contoso) == TenantState.DISCONNECTED
    with scope.tenant(contoso.pk):
        assert Incident.objects.count() == 1, "the page had begun before"


def test_a_tenant_is_disconnected_while_a_pass_finds_its_consent_gone(committed: None) -> None:
    contoso, held = connected_tenant(), threading.Event()

    def fail() -> None:
        lease = claimed(contoso)
        state = state_of(lease)
        assert held.wait(10)
        error = ConsentMissing("The app is not installed.", code="AADSTS7000229")
        ending.failed(lease, state, SyncOutcome(Ended.CONSENT, Kind.POLL, timezone.now()), error)

    def staff() -> None:
        with scope.operations():
            lock(contoso)
            held.set()
            until_somebody_waits()
            disconnect(contoso)

    at_once(fail, staff)
    assert now_in(contoso) == TenantState.DISCONNECTED, "what a late pass reports changes nothing"
