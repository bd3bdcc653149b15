"""Leases: one holder at a time, zombies are fenced, and what dies comes back by itself."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.models import F

from tenants import budget, leases, scope
from tenants.leases import Fenced, Lease, Progress
from tenants.models import Budget, SyncState, Tenant, TenantState
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


def forget_calls(tenant: Tenant) -> None:
    """As if nothing had been asked for some time."""
    with scope.operations():
        Budget.objects.filter(tenant=tenant).delete()


def calls_of(tenant: Tenant) -> int:
    with scope.operations():
        return sum(Budget.objects.filter(tenant=tenant, verb="list").values_list("minute_used", flat=True))


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


def test_sync_f36_a_lease_of_a_worker_that_died_runs_out_and_its_zombie_is_fenced(contoso: Tenant) -> None:
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
        leases.ask_for_pass(contoso)  # of somebody who looked at the page before
        leases.ask_for_check(contoso)
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
                forget_calls(tenant)
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


def test_a_claim_pays_for_one_call_of_each_tenant(contoso: Tenant) -> None:
    fabrikam = connected_tenant("Fabrikam")
    assert [lease.prepaid for lease in claim_due()] == [1, 1]
    assert (calls_of(contoso), calls_of(fabrikam)) == (1, 1)


def test_f35_a_tenant_whose_calls_are_spent_is_put_off_and_the_others_are_claimed(contoso: Tenant) -> None:
    fabrikam = connected_tenant("Fabrikam")
    with as_worker():
        budget.block(tenant_id=contoso.pk, verb="list", seconds=90)
    assert [lease.tenant_id for lease in claim_due()] == [fabrikam.pk]
    due = state_of(contoso).next_due_at
    assert due and timedelta(seconds=80) < due - datetime.now(UTC) <= timedelta(seconds=90)
    assert (state_of(contoso).lease_epoch, calls_of(contoso)) == (0, 0)


def test_background_work_that_spent_its_calls_is_due_when_there_is_one_again(contoso: Tenant) -> None:
    with as_worker():
        for _ in range(budget.LIMITS["list"].background.burst):
            budget.debit(tenant_id=contoso.pk, verb="list")
    assert claim_due() == []
    due = state_of(contoso).next_due_at
    assert due and timedelta(0) < due - datetime.now(UTC) < timedelta(seconds=6)
    with as_worker():
        budget.debit(tenant_id=contoso.pk, verb="list", background=False)


def test_each_lane_is_claimed_by_itself_and_an_open_breaker_is_not_claimed_at_all(contoso: Tenant) -> None:
    fabrikam, northwind = connected_tenant("Fabrikam"), connected_tenant("Northwind")
    set_state(contoso, is_slow=True)
    set_state(northwind, breaker_until=datetime.now(UTC) + HOUR)
    assert [lease.tenant_id for lease in claim_due()] == [fabrikam.pk]
    with as_worker():
        (slow,) = leases.claim_due(limit=10, owner="one", slow=True)
    assert slow.tenant_id == contoso.pk
    with scope.operations():
        leases.ask_for_pass(northwind)
    assert [lease.tenant_id for lease in claim_due()] == [northwind.pk], "a person's wish closes the breaker"


def test_leases_of_a_shard_are_extended_and_settled_together_but_for_those_that_were_lost(contoso: Tenant) -> None:
    fabrikam = connected_tenant("Fabrikam")
    held = claim_due("mine")
    expire(contoso)
    claim_due("thief")
    theirs = state_of(contoso).lease_until
    with as_worker():
        leases.extend(held)
        settled = leases.settle_idle(held)
    assert settled == {fabrikam.pk}
    assert (state_of(contoso).lease_owner, state_of(contoso).lease_until) == ("thief", theirs)
    state = state_of(fabrikam)
    assert (state.lease_owner, state.lease_until) == ("", None)
    assert state.last_ok_at and state.next_due_at and state.next_due_at > datetime.now(UTC)


def test_a_wish_during_an_idle_pass_stays_due(contoso: Tenant) -> None:
    held = claim_due()
    with as_operations():
        leases.ask_for_pass(contoso)
    with as_worker():
        leases.settle_idle(held)
    assert len(claim_due()) == 1


def test_leases_that_are_handed_back_are_the_next_to_be_claimed(contoso: Tenant) -> None:
    held = claim_due("leaving")
    with as_worker():
        leases.hand_back(held)
    (lease,) = claim_due("coming")
    assert lease.epoch == held[0].epoch + 1
