"""Clocks that are wrong by a day: workers' clocks decide nothing, and the database's clock may be put right."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from defender.errors import Throttled
from sandbox.cast import Tenant as TheirTenant
from sandbox.world import World
from tenants import breaker, budget, leases, scope
from tenants.freshness import freshness_of
from tenants.models import Breaker, SyncRun, SyncState, Tenant
from tests.conftest import as_worker
from tests.incidents.synced import assert_nothing_lost, cloud, forget_waits, ours, state_of, sync

pytestmark = pytest.mark.django_db
Ended, Kind = SyncRun.Ended, SyncRun.Kind
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    with cloud(World(seed=7, tenants=["Contoso"], incidents=(30, 30), quotas=False), settings) as world:
        yield world


@pytest.fixture
def theirs(world: World) -> TheirTenant:
    return world.tenant("Contoso")


@pytest.fixture
def contoso(theirs: TheirTenant) -> Tenant:
    return ours(theirs)


def wrong_by(days: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """This worker's clock."""
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + days * DAY)


def set_state(tenant: Tenant, **values: object) -> None:
    with scope.operations():
        SyncState.objects.filter(tenant=tenant).update(**values)


def claim_due() -> list[leases.Lease]:
    with as_worker():
        return leases.claim_due(limit=5, owner="one")


@pytest.mark.parametrize("days", [-1, 1])
def test_f15_a_worker_whose_clock_is_wrong_by_a_day_sets_no_wrong_dates(
    contoso: Tenant, world: World, theirs: TheirTenant, monkeypatch: pytest.MonkeyPatch, settings: Any, days: int
) -> None:
    right = timezone.now
    wrong_by(days, monkeypatch)
    assert sync(contoso).is_complete
    state = state_of(contoso)
    assert state.last_ok_at and abs(state.last_ok_at - right()) < HOUR
    assert state.pass_started_at and abs(state.pass_started_at - right()) < HOUR
    assert state.sweep_due_at and 0.8 < (state.sweep_due_at - right()) / settings.SYNC_SWEEP < 1.2
    world.faults.add(None, {"kind": "status", "status": 503, "on": ["list"]})
    for _ in range(3):
        assert sync(contoso).ended == Ended.TRANSIENT
        forget_waits(contoso)
    until = state_of(contoso).breaker_until
    assert until and timedelta() < until - right() < settings.SYNC_LONGEST_WAIT, "it opened, and not for a day"
    world.faults.clear()
    assert sync(contoso).is_complete
    assert_nothing_lost(contoso, theirs)


def test_f15_a_worker_whose_clock_is_behind_makes_the_sweep_that_was_asked_for(
    contoso: Tenant, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sync(contoso).is_complete
    with scope.operations():
        leases.ask_for_check(contoso)
    wrong_by(-1, monkeypatch)
    assert sync(contoso).kind == Kind.SWEEP
    assert sync(contoso).kind == Kind.POLL


def test_f15_dates_from_before_the_databases_clock_was_set_back_keep_nobody_waiting(contoso: Tenant) -> None:
    ahead = datetime.now(UTC) + DAY
    set_state(contoso, next_due_at=ahead, lease_until=ahead, breaker_until=ahead, sweep_due_at=ahead + 30 * DAY)
    assert claim_due() == []
    with as_worker():
        assert (leases.put_dates_right(), leases.put_dates_right()) == (1, 0)
    assert len(claim_due()) == 1
    due = state_of(contoso).sweep_due_at
    assert due is not None and due < datetime.now(UTC) + DAY


def test_dates_that_are_as_they_should_be_are_left_alone(contoso: Tenant, settings: Any) -> None:
    soon, waits = datetime.now(UTC) + settings.SYNC_LEASE, datetime.now(UTC) + HOUR
    set_state(contoso, next_due_at=waits, lease_until=soon, breaker_until=waits, sweep_due_at=waits)
    with as_worker():
        assert leases.put_dates_right() == 0
    set_state(contoso, next_due_at=None, lease_until=None, breaker_until=None, sweep_due_at=None)
    with as_worker():
        assert leases.put_dates_right() == 0
    assert state_of(contoso).next_due_at is None, "a disconnected tenant gets no date"


def test_f15_a_wait_of_microsofts_from_a_clock_that_was_set_back_is_over_and_a_new_one_holds(contoso: Tenant) -> None:
    with as_worker():
        budget.block(tenant_id=contoso.pk, verb="list", seconds=60)
    with scope.operations():
        contoso.budgets.update(blocked_until=datetime.now(UTC) + DAY)
    assert len(claim_due()) == 1
    with as_worker():
        budget.debit(tenant_id=contoso.pk, verb="list")
        budget.block(tenant_id=contoso.pk, verb="list", seconds=60)
        with pytest.raises(Throttled) as refused:
            budget.debit(tenant_id=contoso.pk, verb="list")
    assert refused.value.retry_after == pytest.approx(60, abs=5)


@pytest.mark.parametrize("wrong", ["open_until", "probed_until"])
def test_f15_the_breaker_before_entra_id_does_not_stay_open_for_a_day(
    contoso: Tenant, world: World, wrong: str
) -> None:
    now = datetime.now(UTC)
    dates = {"opened_at": now, "open_until": now - HOUR, "probed_until": None, wrong: now + DAY}
    Breaker.objects.create(key=breaker.KEY, code="x", sentence="Refused.", step="", refusals=1, **dates)
    assert sync(contoso).is_complete
    assert not Breaker.objects.exists()


def test_f15_a_date_ahead_of_us_is_not_called_current(contoso: Tenant) -> None:
    now = datetime.now(UTC)
    set_state(contoso, last_ok_at=now + DAY)
    with scope.operations():
        tenant = Tenant.objects.select_related("sync_state").get(pk=contoso.pk)
    assert freshness_of(tenant, now).kind == "stale"
