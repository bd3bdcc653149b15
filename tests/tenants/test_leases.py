"""Leases: one holder at a time, zombies are fenced, and what dies comes back by itself."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import F

from tenants import leases, scope
from tenants.leases import Fenced, Lease, Progress
from tenants.models import SyncState, Tenant, TenantState
from tests.conftest import as_worker
from tests.databases import in_threads
from tests.incidents.arranged import connected_tenant

pytestmark = pytest.mark.short

HOUR = timedelta(hours=1)


@pytest.fixture
def contoso(db: None) -> Tenant:
    return connected_tenant()


def state_of(tenant: Tenant) -> SyncState:
    with scope.operations():
        return SyncState.objects.get(tenant=tenant)


def set_state(tenant: Tenant, **values: object) -> None:
    with scope.operations():
        SyncState.objects.filter(tenant=tenant).update(**values)


def claim_due(owner: str = "one", limit: int = 10) -> list[Lease]:
    with as_worker():
        return leases.claim_due(limit=limit, owner=owner)


@contextmanager
def as_operations() -> Iterator[None]:
    with as_worker(), scope.operations():
        yield


def expire(tenant: Tenant) -> None:
    """Time passes for this lease."""
    set_state(tenant, lease_until=F("lease_until") - HOUR)


def test_a_due_tenant_is_claimed_once(contoso: Tenant) -> None:
    (lease,) = claim_due()
    assert (lease.tenant_id, lease.epoch) == (contoso.pk, 1)
    assert claim_due("two") == []
    with as_worker():
        assert leases.claim(contoso, owner="two") is None


def test_the_longest_waiting_tenant_comes_first(contoso: Tenant) -> None:
    fabrikam = connected_tenant("Fabrikam")
    set_state(fabrikam, next_due_at=datetime.now(UTC) - HOUR)
    assert [lease.tenant_id for lease in claim_due(limit=1)] == [fabrikam.pk]
    assert [lease.tenant_id for lease in claim_due()] == [contoso.pk]


def test_what_is_not_due_or_not_connected_is_left_alone(contoso: Tenant) -> None:
    set_state(contoso, next_due_at=datetime.now(UTC) + HOUR)
    assert claim_due() == []
    with scope.operations():
        Tenant.objects.update(state=TenantState.CONSENT_LOST)
    set_state(contoso, next_due_at=datetime.now(UTC) - HOUR)
    assert claim_due() == []
    with as_worker():
        assert leases.claim(contoso, owner="one") is None


def test_a_lease_that_ran_out_is_taken_and_the_zombie_fenced(contoso: Tenant) -> None:
    (dead,) = claim_due("dead")
    expire(contoso)
    (alive,) = claim_due("alive")
    assert alive.epoch == dead.epoch + 1
    with as_operations():
        leases.fence(alive)
        with pytest.raises(Fenced):
            leases.fence(dead)
        with pytest.raises(Fenced):
            leases.settle(dead, due_in=HOUR)
    assert state_of(contoso).lease_owner == "alive"


def test_a_slow_worker_that_nobody_replaced_goes_on(contoso: Tenant) -> None:
    (lease,) = claim_due()
    expire(contoso)
    with as_operations():
        leases.fence(lease, progress=Progress("poll", "", 100, "x", lease.claimed_at, 2, 200))
    state = state_of(contoso)
    assert state.lease_until and state.lease_until > datetime.now(UTC)
    assert (state.pass_kind, state.pass_skip, state.progress_pages, state.progress_seen) == ("poll", 100, 2, 200)
    assert state.pass_started_at == lease.claimed_at


def test_settling_frees_the_tenant_until_it_is_due_again(contoso: Tenant) -> None:
    (lease,) = claim_due()
    with as_operations():
        leases.settle(lease, due_in=HOUR, failures=3)
        with pytest.raises(Fenced):
            leases.fence(lease)
    state = state_of(contoso)
    assert (state.lease_owner, state.lease_until, state.failures) == ("", None, 3)
    assert state.next_due_at is not None
    assert timedelta(minutes=59) < state.next_due_at - lease.claimed_at < timedelta(minutes=61)


def test_a_wish_during_a_pass_is_due_when_the_pass_ends(contoso: Tenant) -> None:
    (lease,) = claim_due()
    with as_operations():
        leases.ask_for_pass(contoso)
        leases.settle(lease, due_in=HOUR)
    assert len(claim_due()) == 1


def test_a_tenant_that_was_disconnected_is_fenced_and_stays_without_a_date(contoso: Tenant) -> None:
    (lease,) = claim_due()
    set_state(contoso, next_due_at=None)
    with as_operations():
        with pytest.raises(Fenced):
            leases.fence(lease)
        leases.settle(lease, due_in=HOUR)
    assert state_of(contoso).next_due_at is None


def test_sync_f30_of_many_workers_at_once_one_wins_each_round(committed: None) -> None:
    tenant, rounds, workers = connected_tenant(), 25, 4
    start = threading.Barrier(workers)

    def worker(number: int) -> list[int]:
        won = []
        for turn in range(rounds):
            start.wait(timeout=30)
            won += [turn for _ in leases.claim_due(limit=10, owner=f"worker {number}")]
            if start.wait(timeout=30) == 0:
                set_state(tenant, lease_until=None, next_due_at=datetime.now(UTC) - HOUR)
            start.wait(timeout=30)
        return won

    won = [turn for turns in in_threads(worker, workers, role="worker") for turn in turns]
    assert sorted(won) == list(range(rounds))
    assert state_of(tenant).lease_epoch == rounds


def test_no_more_is_claimed_than_was_asked_for_whatever_the_planner_believes(contoso: Tenant) -> None:
    with connection.cursor() as cursor:
        # Believing in one row, the planner joins row by row and would run a limited sub-select again for each.
        cursor.execute("ANALYZE tenants_syncstate")
        cursor.execute("ANALYZE tenants_tenant")
    for name in ("Fabrikam", "Northwind", "Litware"):
        connected_tenant(name)
    assert len(claim_due(limit=1)) == 1
    with scope.operations():
        assert SyncState.objects.exclude(lease_until=None).count() == 1
