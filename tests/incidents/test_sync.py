"""One pass over one tenant, against the sandbox's truth: nothing lost, nothing twice, the watermark honest."""

import itertools
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.utils import timezone

from defender.client import DefenderClient, IncidentPage
from defender.times import parse_time
from incidents import rollup
from incidents.models import Alert, Incident
from incidents.sync import sync_tenant
from sandbox.cast import Tenant as TheirTenant
from sandbox.moments import iso
from sandbox.world import World
from tenants import leases, scope
from tenants.clients import client_for
from tenants.models import Alarm, SyncRun, SyncState, Tenant
from tests.conftest import as_worker
from tests.incidents.arranged import sent
from tests.incidents.synced import (
    assert_nothing_lost,
    cloud,
    forget_waits,
    held,
    ours,
    runs_of,
    state_of,
    sync,
    sync_until_complete,
    the,
)

pytestmark = [pytest.mark.django_db, pytest.mark.short]
Ended, Kind = SyncRun.Ended, SyncRun.Kind


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    with cloud(World(seed=7, tenants=["Contoso", "Fabrikam"], incidents=(230, 230), quotas=False), settings) as world:
        yield world


@pytest.fixture
def theirs(world: World) -> TheirTenant:
    return world.tenant("Contoso")


@pytest.fixture
def contoso(theirs: TheirTenant) -> Tenant:
    return ours(theirs)


def lists(world: World, since: int = 0) -> list[dict[str, str]]:
    """The options of each list call after call number ``since``."""
    calls = [call for call in world.calls.since(since) if call.operation == "list"]
    return [{key: values[0] for key, values in parse_qs(call.query).items()} for call in calls]


def test_f13_f18_the_first_sync_holds_all_there_is(contoso: Tenant, theirs: TheirTenant) -> None:
    outcome = sync(contoso)
    assert (outcome.ended, outcome.kind, outcome.pages) == (Ended.COMPLETE, Kind.BACKFILL, 3)
    assert (outcome.seen, outcome.new, outcome.quarantined) == (230, 230, 0)
    assert_nothing_lost(contoso, theirs)
    state, (run,) = state_of(contoso), runs_of(contoso)
    assert state.watermark_text == theirs.book.newest_first()[0].raw["lastUpdateTime"]
    assert state.backfilled_at and state.last_ok_at and state.sweep_due_at and state.next_due_at
    assert (state.lease_until, state.pass_kind, state.progress_seen, state.failures) == (None, "", 230, 0)
    assert (run.ended, run.kind, run.new, run.seen) == (Ended.COMPLETE, Kind.BACKFILL, 230, 230)
    with scope.tenant(contoso.pk):
        assert rollup.kept(contoso.pk) == rollup.counted(contoso.pk)


def test_an_idle_poll_asks_for_the_overlap_and_leaves_no_run(contoso: Tenant, world: World) -> None:
    sync(contoso)
    before, last = state_of(contoso), world.calls.last
    outcome = sync(contoso)
    assert (outcome.kind, outcome.new, outcome.changed) == (Kind.POLL, 0, 0)
    assert len(runs_of(contoso)) == 1
    assert before.watermark is not None
    (asked,) = lists(world, last)
    since = parse_time(asked["$filter"].removeprefix("lastUpdateTime ge "))
    assert since == before.watermark - timedelta(minutes=15)
    assert state_of(contoso).last_ok_at > before.last_ok_at  # type: ignore[operator]


def test_f06_f23_a_change_is_read_by_the_next_poll(contoso: Tenant, world: World, theirs: TheirTenant) -> None:
    sync(contoso)
    number = theirs.book.ids()[0]
    world.change_incident(theirs, number, {"severity": "High", "status": "InProgress"})
    outcome = sync(contoso)
    assert (outcome.new, outcome.changed) == (0, 1)
    assert the(contoso, number).remote_status == "InProgress"
    assert_nothing_lost(contoso, theirs)


@pytest.mark.parametrize("seed", range(5))
def test_f11_sync_f10_nothing_is_lost_while_incidents_move_between_pages(seed: int, settings: Any) -> None:
    world = World(seed=seed, tenants=["Contoso"], incidents=(350, 350), quotas=False)
    with cloud(world, settings):
        theirs = world.tenant("Contoso")
        contoso = ours(theirs)
        world.faults.add(theirs.tenant_id, {"kind": "drift", "changes": 20})
        assert sync(contoso).is_complete
        assert sync(contoso).is_complete
        world.faults.clear()
        assert sync(contoso).is_complete
        assert_nothing_lost(contoso, theirs)


def test_f05_updates_that_become_visible_late_are_within_the_overlap(
    contoso: Tenant, world: World, theirs: TheirTenant
) -> None:
    sync(contoso)
    world.faults.add(theirs.tenant_id, {"kind": "late", "seconds": 60})
    world.change_incident(theirs, theirs.book.ids()[3], {"severity": "Low"})
    sync(contoso)
    world.faults.clear()
    world.change_incident(theirs, theirs.book.ids()[4], {"severity": "Low"})
    sync(contoso)
    assert_nothing_lost(contoso, theirs)


def test_f02_f12_sync_f12_more_than_two_pages_of_one_instant(
    contoso: Tenant, world: World, theirs: TheirTenant
) -> None:
    at = iso(world.clock.ticks())
    for number in theirs.book.ids():
        theirs.book.change(number, lambda raw: raw.update(lastUpdateTime=at), written=world.clock.ticks())
    assert sync(contoso).seen == 230
    assert sync(contoso).seen == 230, "asked for with ge, so the instant itself is read again"
    assert_nothing_lost(contoso, theirs)


def test_f10_the_watermark_keeps_the_seventh_digit(contoso: Tenant, world: World, theirs: TheirTenant) -> None:
    sync(contoso)
    text = f"{timezone.now():%Y-%m-%dT%H:%M:%S}.9999999Z"
    raw = theirs.book.truth()[theirs.book.ids()[0]]
    theirs.book.put({**raw, "lastUpdateTime": text}, written=world.clock.ticks())
    sync(contoso)
    state = state_of(contoso)
    assert state.watermark_text == text
    assert state.watermark is not None and state.watermark.microsecond == 999999


def test_f08_f09_an_error_between_pages_moves_no_watermark_and_the_pass_goes_on_there(
    contoso: Tenant, world: World, theirs: TheirTenant
) -> None:
    pages = iter([200, 200, 500])
    world_list = break_list_calls(world, theirs, lambda: next(pages, 200))
    outcome = sync(contoso)
    assert (outcome.ended, outcome.pages, outcome.new) == (Ended.TRANSIENT, 2, 200)
    state = state_of(contoso)
    assert (state.watermark, state.watermark_text, state.last_ok_at) == (None, "", None)
    assert (state.failures, state.pass_kind, state.pass_skip) == (1, Kind.BACKFILL, 190)
    assert state.last_error.startswith("Microsoft's service had a fault of its own")
    last = world.calls.last
    outcome = sync(contoso)
    assert (outcome.ended, outcome.kind) == (Ended.COMPLETE, Kind.BACKFILL)
    assert [asked["$skip"] for asked in lists(world, last)] == ["190"]
    assert state_of(contoso).watermark_text == theirs.book.newest_first()[0].raw["lastUpdateTime"]
    assert (state_of(contoso).failures, state_of(contoso).last_error) == (0, "")
    assert_nothing_lost(contoso, theirs)
    world_list()


def break_list_calls(world: World, theirs: TheirTenant, status: Callable[[], int]) -> Callable[[], None]:
    """List calls answer with the status that is next; 200 leaves them alone."""
    draw = world.faults.draw

    def drawn(tenant_id: str | None, operation: str) -> Any:
        wanted = status() if operation == "list" else 200
        if wanted != 200:
            world.faults.add(theirs.tenant_id, {"kind": "status", "status": wanted, "count": 1, "on": ["list"]})
        return draw(tenant_id, operation)

    world.faults.draw = drawn  # type: ignore[method-assign]

    def mend() -> None:
        world.faults.draw = draw  # type: ignore[method-assign]

    return mend


def test_sync_f3_a_service_that_fails_half_of_the_time_is_read_in_the_end(
    contoso: Tenant, world: World, theirs: TheirTenant
) -> None:
    world.faults.add(theirs.tenant_id, {"kind": "status", "status": 503, "probability": 0.5, "on": ["list"]})
    world.faults.add(theirs.tenant_id, {"kind": "drift", "changes": 5, "probability": 0.5})
    outcomes = sync_until_complete(contoso, at_most=60)
    assert {outcome.ended for outcome in outcomes[:-1]} <= {Ended.TRANSIENT}
    world.faults.clear()
    sync(contoso)
    assert_nothing_lost(contoso, theirs)


@pytest.mark.parametrize("kind", ["html", "empty", "cut"])
def test_sync_f6_f7_an_answer_that_is_no_page_leaves_everything_as_it_was(
    contoso: Tenant, world: World, theirs: TheirTenant, kind: str
) -> None:
    sync(contoso)
    before, mine = state_of(contoso), held(contoso)
    world.change_incident(theirs, theirs.book.ids()[0], {"severity": "High"})
    world.faults.add(theirs.tenant_id, {"kind": kind, "on": ["list"]})
    assert sync(contoso).ended == Ended.TRANSIENT
    assert (state_of(contoso).watermark_text, held(contoso)) == (before.watermark_text, mine)
    world.faults.clear()
    assert sync(contoso).is_complete
    assert_nothing_lost(contoso, theirs)


def test_f14_f16_a_long_pass_is_handed_back_and_goes_on_where_it_was(settings: Any) -> None:
    settings.SYNC_PASS_LIMIT = timedelta(0)
    with cloud(World(seed=3, tenants=["Contoso"], incidents=(450, 450), quotas=False), settings) as world:
        theirs = world.tenant("Contoso")
        contoso = ours(theirs)
        outcomes = sync_until_complete(contoso, at_most=9)
        assert [outcome.ended for outcome in outcomes] == [*[Ended.STOPPED] * 2, Ended.COMPLETE]
        assert [asked["$skip"] for asked in lists(world)] == ["0", "100", "190", "290", "380"]
        assert_nothing_lost(contoso, theirs)
    (complete, stopped) = runs_of(contoso)
    assert (complete.ended, stopped.ended, stopped.pages) == (Ended.COMPLETE, Ended.STOPPED, 4), "one row for all stops"
    assert state_of(contoso).progress_pages == 5


@pytest.mark.parametrize("refusal", [429, 500])
def test_a_service_that_answers_every_second_call_only_is_read_to_the_end(
    contoso: Tenant, world: World, theirs: TheirTenant, refusal: int
) -> None:
    answers = itertools.cycle([200, refusal])
    world_list = break_list_calls(world, theirs, lambda: next(answers))
    for _ in range(12):
        forget_waits(contoso)
        if sync(contoso).is_complete:
            break
    assert_nothing_lost(contoso, theirs)
    assert state_of(contoso).watermark_text == theirs.book.newest_first()[0].raw["lastUpdateTime"]
    world_list()


def test_sync_f9_a_service_that_repeats_itself_ends_the_pass_with_an_alarm(
    contoso: Tenant, world: World, theirs: TheirTenant
) -> None:
    world.faults.add(theirs.tenant_id, {"kind": "loop"})
    outcome = sync(contoso)
    assert outcome.ended == Ended.TRANSIENT
    assert Alarm.objects.filter(key=f"paging-loop-{contoso.pk}", cleared_at=None).exists()
    assert state_of(contoso).pass_kind == "", "it begins anew"
    world.faults.clear()
    assert sync(contoso).is_complete
    assert not Alarm.objects.filter(cleared_at=None).exists()
    assert_nothing_lost(contoso, theirs)


def test_sync_f19_a_poisoned_incident_does_not_hold_up_the_watermark(
    contoso: Tenant, world: World, theirs: TheirTenant
) -> None:
    world.faults.add(theirs.tenant_id, {"kind": "poison", "way": "deep", "place": 0})
    outcome = sync(contoso)
    assert (outcome.ended, outcome.quarantined, outcome.new) == (Ended.COMPLETE, 3, 227)
    assert state_of(contoso).watermark_text == theirs.book.newest_first()[0].raw["lastUpdateTime"]
    world.faults.clear()
    assert sync(contoso, Kind.BACKFILL).changed == 3
    assert_nothing_lost(contoso, theirs)


@pytest.mark.parametrize("minutes", [-10, 10])
def test_f15_sync_f11_a_wrong_clock_of_ours_loses_nothing_and_is_noticed(
    contoso: Tenant, world: World, theirs: TheirTenant, monkeypatch: pytest.MonkeyPatch, minutes: int
) -> None:
    now = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: now() + timedelta(minutes=minutes))
    assert sync(contoso).is_complete
    world.change_incident(theirs, theirs.book.ids()[0], {"severity": "High"})
    assert sync(contoso).is_complete
    assert_nothing_lost(contoso, theirs)
    assert state_of(contoso).watermark_text == theirs.book.newest_first()[0].raw["lastUpdateTime"]
    assert Alarm.objects.filter(key="clock-skew").exists()


def test_sync_f13_an_incident_from_the_future_does_not_blind_us(
    contoso: Tenant, world: World, theirs: TheirTenant
) -> None:
    world.new_incident(theirs, {"lastUpdateTime": "2999-01-01T00:00:00Z", "incidentName": "not yet"})
    newest = theirs.book.newest_first()[1].raw["lastUpdateTime"]
    assert sync(contoso).is_complete
    assert state_of(contoso).watermark_text == newest
    world.change_incident(theirs, theirs.book.ids()[0], {"severity": "High"})
    assert sync(contoso).changed == 1
    assert_nothing_lost(contoso, theirs)


def test_a_tenant_without_incidents_polls_from_microsofts_clock(world: World, theirs: TheirTenant) -> None:
    theirs.book._current.clear()
    theirs.book._order = None
    contoso = ours(theirs)
    assert sync(contoso).is_complete
    state = state_of(contoso)
    assert state.watermark and abs(state.watermark - timezone.now()) < timedelta(seconds=10)
    assert sync(contoso).kind == Kind.POLL
    assert state_of(contoso).watermark_text == state.watermark_text, "nobody's clock moves it"


class Interrupted(DefenderClient):
    """The real client; something happens after its first page."""

    between: Callable[[], None]

    def incident_pages(self, **options: Any) -> Iterator[IncidentPage]:
        for number, page in enumerate(super().incident_pages(**options)):
            if number == 1:
                self.between()
            yield page


def interrupted(tenant: Tenant, between: Callable[[], None]) -> Interrupted:
    client = client_for(tenant)
    client.__class__ = Interrupted
    assert isinstance(client, Interrupted)
    client.between = between
    return client


def test_sync_f30_a_worker_that_lost_its_lease_writes_nothing_more(contoso: Tenant, theirs: TheirTenant) -> None:
    finished = []

    def another_worker_takes_over() -> None:
        with scope.operations():
            SyncState.objects.filter(tenant=contoso).update(lease_until=timezone.now() - timedelta(seconds=1))
        finished.append(sync(contoso))

    with as_worker():
        lease = leases.claim(contoso, owner="zombie")
        assert lease
        client = interrupted(contoso, another_worker_takes_over)
        zombie = sync_tenant(client=client, now=timezone.now(), lease=lease)
    assert (zombie.ended, zombie.pages) == (Ended.FENCED, 2)
    assert zombie.new == 100, "the second page was refused"
    assert [outcome.ended for outcome in finished] == [Ended.COMPLETE]
    assert [run.ended for run in runs_of(contoso)] == [Ended.COMPLETE], "the zombie leaves no run either"
    assert_nothing_lost(contoso, theirs)


def test_a_tenant_that_staff_disconnect_is_read_no_further(contoso: Tenant) -> None:
    def disconnected() -> None:
        with scope.operations():
            SyncState.objects.filter(tenant=contoso).update(next_due_at=None)

    with as_worker():
        lease = leases.claim(contoso, owner="one")
        assert lease
        client = interrupted(contoso, disconnected)
        outcome = sync_tenant(client=client, now=timezone.now(), lease=lease)
    assert (outcome.ended, outcome.new) == (Ended.FENCED, 100)


def test_f21_sync_f14_a_merge_keeps_the_shell_and_moves_the_alerts(
    contoso: Tenant, world: World, theirs: TheirTenant
) -> None:
    sync(contoso)
    source, target = [v.incident_id for v in theirs.book.newest_first() if v.raw["alerts"]][:2]
    world.merge(theirs, source, target)
    outcome = sync(contoso)
    assert outcome.merged == 1
    assert (the(contoso, source).redirect_number, the(contoso, source).is_open) == (target, False)
    with scope.tenant(contoso.pk):
        assert not Alert.objects.filter(incident__number=source, gone_at=None).exists()
        moved = set(Alert.objects.filter(incident__number=target, gone_at=None).values_list("alert_id", flat=True))
    assert moved == {alert["alertId"] for alert in theirs.book.truth()[target]["alerts"]}
    assert_nothing_lost(contoso, theirs)


def test_sent_bytes_are_kept_as_they_are(contoso: Tenant, world: World, theirs: TheirTenant) -> None:
    raw = world.new_incident(theirs, {"incidentName": "Grüße \u202e \U0001f510", "newField": {"a": [1, None, 2.5]}})
    sync(contoso)
    assert held(contoso)[raw["incidentId"]] == raw
    assert sent(raw)
    forget_waits(contoso)
    with scope.tenant(contoso.pk):
        assert Incident.objects.filter(number=raw["incidentId"], cleaned=False).exists()
