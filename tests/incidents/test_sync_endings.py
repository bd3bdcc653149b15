"""How a pass ends when something stands in the way: who waits, who is told, and that the others go on."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from incidents.models import Quarantine
from incidents.store import store_page
from sandbox.cast import Tenant as TheirTenant
from sandbox.odata import Query
from sandbox.world import World
from tenants import breaker, budget, leases, scope, tokens
from tenants.models import Alarm, Breaker, SyncRun, SyncState, Tenant, TenantState
from tests.conftest import as_worker
from tests.incidents.arranged import connected_tenant
from tests.incidents.synced import (
    assert_nothing_lost,
    cloud,
    forget_waits,
    held,
    ours,
    runs_of,
    state_of,
    sync,
    sync_due,
)

pytestmark = pytest.mark.django_db
Ended = SyncRun.Ended


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    world = World(seed=7, tenants=["Contoso", "Fabrikam"], incidents=(120, 120))
    with cloud(world, settings) as running:
        yield running


@pytest.fixture
def theirs(world: World) -> TheirTenant:
    return world.tenant("Contoso")


@pytest.fixture
def contoso(theirs: TheirTenant) -> Tenant:
    return ours(theirs)


def seconds_until_due(tenant: Tenant) -> float:
    due = state_of(tenant).next_due_at
    assert due is not None
    return (due - timezone.now()).total_seconds()


def now_in(tenant: Tenant) -> Tenant:
    with scope.operations():
        return Tenant.objects.get(pk=tenant.pk)


@pytest.mark.parametrize("with_header", [True, False])
def test_sync_f1_f2_a_429_is_obeyed_by_everybody_and_blames_nobody(
    contoso: Tenant, world: World, theirs: TheirTenant, with_header: bool
) -> None:
    world.faults.add(theirs.tenant_id, {"kind": "throttle", "seconds": 40, "header": with_header, "on": ["list"]})
    outcome = sync(contoso)
    assert outcome.ended == Ended.THROTTLED
    assert 35 < seconds_until_due(contoso) <= 44, "what was asked for, and up to a tenth more"
    state, last = state_of(contoso), world.calls.last
    assert (state.failures, state.last_error[:28]) == (0, "Waiting for Microsoft until ")
    assert sync(contoso).ended == Ended.THROTTLED
    assert [call for call in world.calls.since(last) if call.operation == "list"] == [], "no call comes too early"
    assert len(runs_of(contoso)) == 2, "one for Microsoft's answer, one for the portal's own restraint"
    world.faults.clear()
    forget_waits(contoso)
    assert sync(contoso).is_complete
    assert state_of(contoso).last_error == ""
    assert_nothing_lost(contoso, theirs)


def test_our_own_budget_stops_a_pass_before_microsoft_has_to(
    contoso: Tenant, world: World, theirs: TheirTenant
) -> None:
    with as_worker():
        for _ in range(budget.LIMITS["list"].background.burst - 1):
            budget.debit(tenant_id=contoso.pk, verb="list")
    outcome = sync(contoso)
    assert (outcome.ended, outcome.pages, outcome.seen) == (Ended.THROTTLED, 1, 100)
    assert 0 < seconds_until_due(contoso) <= 5
    assert {call.status for call in world.calls.since() if call.operation == "list"} == {200}


def test_a_throttled_tenant_does_not_hold_up_another(contoso: Tenant, world: World, theirs: TheirTenant) -> None:
    fabrikam = ours(world.tenant("Fabrikam"))
    world.faults.add(theirs.tenant_id, {"kind": "throttle", "seconds": 40})
    sync_due()
    assert state_of(contoso).last_ok_at is None
    assert_nothing_lost(fabrikam, world.tenant("Fabrikam"))


def test_f38_failures_in_a_row_wait_longer_each_time_within_bounds(
    contoso: Tenant, world: World, settings: Any
) -> None:
    world.faults.add(None, {"kind": "status", "status": 503, "on": ["list"]})
    waits = []
    for failure in range(12):
        assert sync(contoso).ended == Ended.TRANSIENT
        assert state_of(contoso).failures == failure + 1
        waits.append(seconds_until_due(contoso))
        forget_waits(contoso)
    first, longest = settings.SYNC_FIRST_WAIT, settings.SYNC_LONGEST_WAIT
    bounds = [min(first * 2**n, longest).total_seconds() for n in range(12)]
    assert all(bound / 2 - 1 < wait <= bound for wait, bound in zip(waits, bounds, strict=True))
    (run,) = runs_of(contoso)
    assert run.ended == Ended.TRANSIENT, "one row, however often it fails in the same way"


def test_f03_pages_get_smaller_when_they_keep_failing_so_that_one_gets_through(
    contoso: Tenant, world: World, theirs: TheirTenant
) -> None:
    world.faults.add(theirs.tenant_id, {"kind": "status", "status": 500, "count": 3, "on": ["list"]})
    for _ in range(3):
        sync(contoso)
        forget_waits(contoso)
    assert sync(contoso).is_complete
    assert sizes(world) == [100, 100, 25, 6, 12, 24, 48, 96], "and larger again when they get through"
    assert_nothing_lost(contoso, theirs)


def sizes(world: World) -> list[int]:
    """How large the pages were that were asked for."""
    asked = [re.search(r"\$top=(\d+)", call.query) for call in world.calls.since() if call.operation == "list"]
    return [int(found[1]) for found in asked if found]


@pytest.mark.parametrize("place", [0, 57, 119])
def test_f03_an_incident_on_which_the_list_always_fails_is_left_out_and_the_watermark_moves(
    contoso: Tenant, world: World, theirs: TheirTenant, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    offender = theirs.book.newest_first()[place].incident_id
    page = Query.page

    def failing(self: Query, versions: Any) -> Any:
        found, more = page(self, versions)
        if any(version.incident_id == offender for version in found):
            raise RuntimeError("It always fails here.")
        return found, more

    monkeypatch.setattr("sandbox.odata.Query.page", failing)
    for _ in range(60):
        forget_waits(contoso)
        if sync(contoso).is_complete:
            break
    assert set(theirs.book.truth()) - set(held(contoso)) == {offender}
    assert state_of(contoso).watermark is not None
    with scope.tenant(contoso.pk):
        (aside,) = Quarantine.objects.all()
    assert (aside.reason, aside.settled_at, bytes(aside.body)) == ("not-served", None, b"")
    assert Alarm.objects.filter(key=f"not-served-{contoso.pk}", cleared_at=None).exists()
    assert "cannot be read where it comes to the incident" in runs_of(contoso)[0].detail


def test_f03_a_service_that_is_down_altogether_leaves_nothing_out(contoso: Tenant, world: World) -> None:
    world.faults.add(None, {"kind": "status", "status": 500, "on": ["list"]})
    for _ in range(6):
        assert sync(contoso).ended == Ended.TRANSIENT
        forget_waits(contoso)
    with scope.tenant(contoso.pk):
        assert not Quarantine.objects.exists()
    assert state_of(contoso).breaker_until is not None


def test_sync_f21_lost_consent_stops_reading_and_keeps_what_was_read(
    contoso: Tenant, world: World, theirs: TheirTenant
) -> None:
    sync(contoso)
    before = held(contoso)
    world.revoke(theirs)
    tokens.forget_everything()
    assert sync(contoso).ended == Ended.CONSENT
    assert now_in(contoso).state == TenantState.CONSENT_LOST
    assert state_of(contoso).next_due_at is None, "no retry storm: the check finds out when it is back"
    assert held(contoso) == before
    with as_worker():
        assert leases.claim_due(limit=5, owner="next") == []


def test_sync_f20_our_own_credential_trips_one_breaker_raises_one_alarm_and_blames_no_tenant(
    contoso: Tenant, world: World
) -> None:
    fabrikam = ours(world.tenant("Fabrikam"))
    world.faults.add(None, {"kind": "secret_expired"})
    for tenant in (contoso, fabrikam, contoso):
        assert sync(tenant).ended == Ended.CREDENTIAL
    assert [alarm.key for alarm in Alarm.objects.filter(cleared_at=None)] == [breaker.KEY]
    for tenant in (contoso, fabrikam):
        assert (now_in(tenant).state, state_of(tenant).failures) == (TenantState.CONNECTED, 0)
    assert 50 < seconds_until_due(contoso) <= 90
    asked = [call for call in world.calls.since() if call.operation == "token"]
    assert len(asked) == 1, "the first refusal stands for all"
    assert len(runs_of(contoso)) + len(runs_of(fabrikam)) == 1, "and leaves one run"
    world.faults.clear()
    tokens.forget_everything()
    assert sync(fabrikam).ended == Ended.CREDENTIAL, "nobody asks before the time"
    Breaker.objects.update(open_until=timezone.now() - timedelta(seconds=1))
    assert sync(contoso).is_complete
    assert not Breaker.objects.exists()
    assert not Alarm.objects.filter(cleared_at=None).exists()


def test_a_credential_that_cannot_be_loaded_ends_the_pass_like_one_that_is_refused(
    contoso: Tenant, settings: Any
) -> None:
    settings.ENTRA_CREDENTIAL = {"ENTRA_CLIENT_CERTIFICATE": "/nowhere/key.pem"}
    tokens.forget_everything()
    sync_due()
    (run,) = runs_of(contoso)
    assert run.ended == Ended.CREDENTIAL
    assert Alarm.objects.filter(key=breaker.KEY, cleared_at=None).exists()


def test_f52_a_token_for_somebody_else_fails_closed(contoso: Tenant, world: World, theirs: TheirTenant) -> None:
    world.faults.add(theirs.tenant_id, {"kind": "wrong_tenant_token"})
    assert sync(contoso).ended == Ended.INTERNAL
    assert held(contoso) == {}
    assert Alarm.objects.filter(key=f"wrong-token-{contoso.pk}", cleared_at=None).exists()
    assert [call for call in world.calls.since() if call.operation == "list"] == [], "it was not even used"


def test_f37_a_403_degrades_and_goes_on_trying(contoso: Tenant, world: World, theirs: TheirTenant) -> None:
    sync(contoso)
    world.faults.add(theirs.tenant_id, {"kind": "status", "status": 403, "on": ["list"]})
    assert sync(contoso).ended == Ended.FORBIDDEN
    degraded = now_in(contoso)
    assert degraded.state == TenantState.DEGRADED
    assert degraded.check_due_at is not None and degraded.check_due_at <= timezone.now()
    world.faults.clear()
    assert sync(contoso).is_complete, "a degraded tenant is still read"


def test_a_fault_of_the_portal_is_shown_by_its_reference_and_the_others_go_on(
    contoso: Tenant, world: World, monkeypatch: pytest.MonkeyPatch, written_log: Callable[[], str]
) -> None:
    fabrikam = ours(world.tenant("Fabrikam"))

    def broken_for_contoso(*, tenant: Tenant, **rest: Any) -> Any:
        if tenant.pk == contoso.pk:
            raise ZeroDivisionError("a bug")
        return store_page(tenant=tenant, **rest)

    monkeypatch.setattr("incidents.sync.store_page", broken_for_contoso)
    sync_due()
    (run,) = runs_of(contoso)
    assert run.ended == Ended.INTERNAL and re.fullmatch(r"[0-9a-f]{12}", run.reference)
    assert run.reference in written_log() and "ZeroDivisionError" in written_log()
    assert "ZeroDivisionError" not in run.detail
    assert (state_of(contoso).lease_until, state_of(contoso).failures) == (None, 1)
    assert_nothing_lost(fabrikam, world.tenant("Fabrikam"))


def test_a_wake_up_with_nothing_due_costs_nothing(contoso: Tenant, world: World) -> None:
    with scope.operations():
        SyncState.objects.update(next_due_at=timezone.now() + timedelta(hours=1))
    sync_due()
    assert world.calls.since() == []


def test_sync_f29_a_duplicate_wake_up_reads_nothing_twice(contoso: Tenant, world: World) -> None:
    connected_tenant("Nobody")  # not in this world: its consent is missing
    sync_due()
    last = world.calls.last
    sync_due()
    assert world.calls.since(last) == []
    assert state_of(contoso).last_ok_at is not None
