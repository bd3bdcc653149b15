"""What a sweep writes down about whether anything was missing, and incidents found by their numbers."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from incidents import completeness
from incidents.models import Absence
from sandbox.cast import Tenant as TheirTenant
from sandbox.world import World
from tenants import scope
from tenants.models import Alarm, CompletenessCheck, SyncRun, SyncState, Tenant
from tests.incidents.synced import assert_nothing_lost, cloud, forget_waits, held, ours, runs_of, state_of, sync
from tests.incidents.test_sync_sweep import forget, gets, sweep_is_due

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    settings.SYNC_SWEEP_WINDOW = timedelta(days=180)
    with cloud(World(seed=7, tenants=["Contoso"], incidents=(60, 60), quotas=False), settings) as world:
        yield world


@pytest.fixture
def theirs(world: World) -> TheirTenant:
    return world.tenant("Contoso")


@pytest.fixture
def contoso(theirs: TheirTenant) -> Tenant:
    return ours(theirs)


def swept(tenant: Tenant) -> CompletenessCheck:
    sweep_is_due(tenant)
    assert sync(tenant).kind == SyncRun.Kind.SWEEP
    with scope.operations():
        check = completeness.last_check(tenant)
    assert check is not None
    return check


def test_a_sweep_says_that_nothing_was_missing(contoso: Tenant) -> None:
    sync(contoso)
    check = swept(contoso)
    assert check.is_complete and check.sentence == "0 missing of 60 in the last 180 days"
    assert not Alarm.objects.filter(cleared_at=None).exists()


def test_f07_three_incidents_that_were_removed_by_hand_are_counted_read_again_and_told(
    contoso: Tenant, theirs: TheirTenant
) -> None:
    sync(contoso)
    forget(contoso, *[version.incident_id for version in theirs.book.newest_first()[10:13]])
    check = swept(contoso)
    assert check.sentence == "3 missing of 60 in the last 180 days; read again"
    assert_nothing_lost(contoso, theirs)
    assert Alarm.objects.filter(key=completeness.alarm_of(contoso), cleared_at=None).exists()
    assert "3 missing" in runs_of(contoso)[0].detail
    assert swept(contoso).is_complete
    assert not Alarm.objects.filter(cleared_at=None).exists(), "the next sweep without any clears it"


def test_what_changed_since_the_last_poll_is_not_missing(contoso: Tenant, world: World, theirs: TheirTenant) -> None:
    sync(contoso)
    world.new_incident(theirs)
    world.change_incident(theirs, theirs.book.ids()[0], {"severity": "Low"})
    assert swept(contoso).is_complete


def test_a_change_without_a_new_date_is_found_by_the_sweep_and_is_no_fault(
    contoso: Tenant, world: World, theirs: TheirTenant
) -> None:
    sync(contoso)
    number = next(version.incident_id for version in theirs.book.newest_first()[::-1] if version.raw["alerts"])
    world.silent_change(theirs, number)
    assert sync(contoso).changed == 0
    check = swept(contoso)
    assert (check.missing, check.outdated, check.silent) == (0, 0, 1)
    assert_nothing_lost(contoso, theirs)


def test_findings_of_a_sweep_that_was_broken_off_are_counted_on(
    world: World, contoso: Tenant, theirs: TheirTenant, settings: Any
) -> None:
    sync(contoso)
    forget(contoso, theirs.book.newest_first()[0].incident_id, theirs.book.newest_first()[-1].incident_id)
    with scope.operations():  # as if the last poll had been after all of them
        SyncState.objects.filter(tenant=contoso).update(watermark=timezone.now() + timedelta(hours=1), failures=2)
    settings.SYNC_PASS_LIMIT = timedelta(0)
    sweep_is_due(contoso)
    for _ in range(6):
        if sync(contoso).is_complete:
            break
    with scope.operations():
        check = completeness.last_check(contoso)
    assert check is not None and check.missing == 2


def test_f07_an_incident_that_no_list_shows_is_found_by_its_number(
    contoso: Tenant, world: World, theirs: TheirTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = theirs.book.newest_first()[20].incident_id
    newest_first = type(theirs.book).newest_first
    monkeypatch.setattr(
        type(theirs.book), "newest_first", lambda book: [v for v in newest_first(book) if v.incident_id != hidden]
    )
    sync(contoso)
    assert hidden not in held(contoso)
    check = swept(contoso)
    for _ in range(8):
        if state_of(contoso).gaps_left == 0:
            break
        forget_waits(contoso)
        sync(contoso)
    with scope.operations():
        check.refresh_from_db()
    assert hidden in held(contoso)
    assert (check.missing, check.by_number, check.held) == (1, 1, 60)
    with scope.tenant(contoso.pk):
        absent = set(Absence.objects.values_list("number", flat=True))
    assert absent and absent.isdisjoint(theirs.book.ids())
    asked = gets(world)
    swept(contoso)
    sync(contoso)
    assert not absent & {int(number) for number in gets(world)[len(asked) :]}, "each is asked for once"


def test_an_empty_list_of_a_tenant_with_incidents_is_told(contoso: Tenant, theirs: TheirTenant) -> None:
    sync(contoso)
    theirs.book._current, kept = {}, theirs.book._current
    theirs.book._order = None
    swept(contoso)
    assert Alarm.objects.filter(key=completeness.alarm_of(contoso), cleared_at=None).exists()
    theirs.book._current = kept
