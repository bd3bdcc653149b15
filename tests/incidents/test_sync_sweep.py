"""Ours against theirs: targets of merges, incidents that the list no longer shows, and old open ones."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from incidents import reconcile, rollup
from incidents.models import Incident, Quarantine, Rollup
from sandbox.cast import Tenant as TheirTenant
from sandbox.world import World
from tenants import scope
from tenants.models import SyncRun, SyncState, Tenant
from tests.incidents.synced import assert_nothing_lost, cloud, forget_waits, ours, state_of, sync, the

pytestmark = pytest.mark.django_db
Kind = SyncRun.Kind


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    with cloud(World(seed=7, tenants=["Contoso"], incidents=(150, 150)), settings) as world:
        yield world


@pytest.fixture
def theirs(world: World) -> TheirTenant:
    return world.tenant("Contoso")


@pytest.fixture
def contoso(theirs: TheirTenant) -> Tenant:
    return ours(theirs)


def vanish(theirs: TheirTenant, *numbers: int) -> None:
    """Microsoft no longer has them."""
    for number in numbers:
        del theirs.book._current[number]
    theirs.book._order = None


def redirect(world: World, theirs: TheirTenant, source: int, target: int) -> None:
    world.change_incident(theirs, source, {"status": "Redirected", "redirectIncidentId": target, "alerts": []})


def gets(world: World) -> list[str]:
    return [call.path.rsplit("/", 1)[1] for call in world.calls.since() if call.operation == "get"]


def sweep_is_due(tenant: Tenant) -> None:
    with scope.operations():
        SyncState.objects.filter(tenant=tenant).update(sweep_due_at=timezone.now() - timedelta(seconds=1))


def forget(tenant: Tenant, *numbers: int) -> None:
    """We never saw these."""
    with scope.tenant(tenant.pk):
        Incident.objects.filter(number__in=numbers).delete()
        rollup.repair(tenant_id=tenant.pk)


def test_f22_sync_f14_a_chain_of_targets_we_never_saw_is_fetched_by_number(
    contoso: Tenant, world: World, theirs: TheirTenant
) -> None:
    sync(contoso)
    oldest, older, newer = (version.incident_id for version in theirs.book.newest_first()[::-1][:3])
    forget(contoso, oldest, older)
    theirs.book.change(older, lambda raw: raw.update(status="Redirected", redirectIncidentId=oldest), written=0)
    redirect(world, theirs, newer, older)
    outcome = sync(contoso)
    assert outcome.merged == 2
    assert gets(world) == [str(older), str(oldest)]
    assert the(contoso, newer).redirect_number == older
    assert the(contoso, older).redirect_number == oldest
    assert_nothing_lost(contoso, theirs)


def test_sync_f14_merges_in_a_circle_come_to_an_end(contoso: Tenant, world: World, theirs: TheirTenant) -> None:
    sync(contoso)
    one, two = (version.incident_id for version in theirs.book.newest_first()[::-1][:2])
    forget(contoso, one)
    theirs.book.change(one, lambda raw: raw.update(status="Redirected", redirectIncidentId=two), written=0)
    redirect(world, theirs, two, one)
    assert sync(contoso).is_complete
    assert gets(world) == [str(one)]


def test_a_target_that_is_gone_does_not_break_the_pass(contoso: Tenant, world: World, theirs: TheirTenant) -> None:
    sync(contoso)
    redirect(world, theirs, theirs.book.ids()[0], 999_999)
    outcome = sync(contoso)
    assert (outcome.is_complete, outcome.merged) == (True, 1)


def test_a_sweep_is_due_once_a_day_and_reads_a_wide_window(
    contoso: Tenant, world: World, theirs: TheirTenant, settings: Any
) -> None:
    sync(contoso)
    assert sync(contoso).kind == Kind.POLL
    sweep_is_due(contoso)
    outcome = sync(contoso)
    assert (outcome.kind, outcome.is_complete) == (Kind.SWEEP, True)
    due = state_of(contoso).sweep_due_at
    assert due and 0.89 < (due - timezone.now()) / settings.SYNC_SWEEP < 1.11
    assert sync(contoso).kind == Kind.POLL


def test_a_sweep_finds_what_no_poll_was_shown(contoso: Tenant, world: World, theirs: TheirTenant) -> None:
    sync(contoso)
    missed = theirs.book.newest_first()[5].incident_id
    forget(contoso, missed)
    sweep_is_due(contoso)
    assert sync(contoso).new == 1
    assert_nothing_lost(contoso, theirs)


def test_sync_f16_an_open_incident_that_vanished_is_marked_and_kept(
    contoso: Tenant, world: World, theirs: TheirTenant, settings: Any
) -> None:
    sync(contoso)
    with scope.tenant(contoso.pk):
        recent = Incident.objects.filter(is_open=True).order_by("-updated_at").values_list("number", flat=True)[1]
        oldest = Incident.objects.filter(is_open=True).order_by("updated_at").values_list("number", flat=True)[0]
    vanish(theirs, recent, oldest)
    sweep_is_due(contoso)
    for _ in range(1 + 150 // reconcile.BATCH):
        sync(contoso)
    assert state_of(contoso).sweep_cursor is None, "the sweep has come round"
    with scope.tenant(contoso.pk):
        gone = set(Incident.objects.exclude(gone_at=None).values_list("number", flat=True))
        assert gone == {recent, oldest}
        assert Incident.objects.count() == 150
    assert_nothing_lost(contoso, theirs)


def test_an_incident_that_comes_back_is_no_longer_gone(contoso: Tenant, world: World, theirs: TheirTenant) -> None:
    sync(contoso)
    newest = theirs.book.newest_first()[0]
    with scope.tenant(contoso.pk):
        Incident.objects.filter(number=newest.incident_id).update(gone_at=timezone.now())
    sync(contoso)
    assert the(contoso, newest.incident_id).gone_at is None


def test_old_open_incidents_are_looked_at_batch_by_batch(
    contoso: Tenant, world: World, theirs: TheirTenant, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "BATCH", 10)
    sync(contoso)
    settings.SYNC_SWEEP_WINDOW = timedelta(0)
    with scope.tenant(contoso.pk):
        newest = parse(state_of(contoso).watermark)
        old = list(
            Incident.objects.filter(is_open=True, updated_at__lt=newest).order_by("pk").values_list("number", flat=True)
        )
    assert len(old) > reconcile.BATCH
    quiet = theirs.book.get(old[-1])
    assert quiet
    theirs.book.change(old[-1], lambda raw: raw.update(severity="Low", tags=["silently"]), written=0)
    sweep_is_due(contoso)
    passes = 0
    while passes == 0 or state_of(contoso).sweep_cursor is not None:
        passes += 1
        sync(contoso)
        assert passes < 20
    assert passes == 1 + len(old) // 10
    assert gets(world) == [str(number) for number in old]
    with scope.tenant(contoso.pk):
        assert the(contoso, old[-1]).tags.get().tag == "silently"


def parse(moment: Any) -> Any:
    assert moment is not None
    return moment


@pytest.mark.parametrize("way", ["digits", "deep", "surrogate", "nan", "bad_utf8"])
def test_f31_sync_f19_a_damaged_old_incident_does_not_keep_a_sweep_from_its_end(
    contoso: Tenant, world: World, theirs: TheirTenant, settings: Any, way: str
) -> None:
    settings.SYNC_SWEEP_WINDOW = timedelta(days=20)
    sync(contoso)
    with scope.tenant(contoso.pk):
        oldest_first = Incident.objects.filter(is_open=True).order_by("updated_at")
        first, *_, last = sorted(oldest_first[:5], key=lambda incident: incident.pk)
    world.poison_incident(theirs, first.number, way)
    theirs.book.change(last.number, lambda raw: raw.update(tags=["silently"]), written=0)
    sweep_is_due(contoso)
    for _ in range(5):
        sync(contoso)
        forget_waits(contoso)
    assert state_of(contoso).sweep_cursor is None
    with scope.tenant(contoso.pk):
        assert the(contoso, last.number).tags.get().tag == "silently"


def test_trouble_with_single_reads_does_not_break_the_pass_and_is_made_up_for(
    contoso: Tenant, world: World, theirs: TheirTenant, settings: Any
) -> None:
    sync(contoso)
    settings.SYNC_SWEEP_WINDOW = timedelta(0)
    world.faults.add(theirs.tenant_id, {"kind": "status", "status": 503, "on": ["get"], "count": 1})
    sweep_is_due(contoso)
    outcome = sync(contoso)
    assert (outcome.kind, outcome.is_complete) == (Kind.SWEEP, True)
    state = state_of(contoso)
    assert (state.sweep_cursor, state.failures) == (0, 0)
    sync(contoso)
    assert state_of(contoso).sweep_cursor != 0, "the next pass goes on"


def test_a_sweep_sets_wrong_counts_right_and_says_so(contoso: Tenant) -> None:
    sync(contoso)
    with scope.tenant(contoso.pk):
        Rollup.objects.update(cells=[7] * len(rollup.CELLS))
    sweep_is_due(contoso)
    assert "counts" in sync(contoso).detail
    with scope.tenant(contoso.pk):
        assert rollup.kept(contoso.pk) == rollup.counted(contoso.pk)


def test_a_sweep_reads_again_what_an_older_parser_put_aside(contoso: Tenant, world: World, theirs: TheirTenant) -> None:
    sync(contoso)
    version = theirs.book.newest_first()[0]
    forget(contoso, version.incident_id)
    with scope.tenant(contoso.pk):
        Quarantine.objects.create(
            tenant=contoso,
            number=version.incident_id,
            content_hash=b"0" * 16,
            reason="syntax",
            sentence="",
            body=version.body,
            size=len(version.body),
            parser_version=0,
            seen_at=timezone.now(),
        )
    sweep_is_due(contoso)
    assert sync(contoso).is_complete
    with scope.tenant(contoso.pk):
        assert Quarantine.objects.get().settled_at is not None
    assert_nothing_lost(contoso, theirs)


@pytest.mark.parametrize("way", ["unclosed", "huge"])
def test_f31_an_incident_that_cannot_be_read_by_its_number_does_not_keep_the_sweep_from_its_end(
    contoso: Tenant, world: World, theirs: TheirTenant, settings: Any, way: str
) -> None:
    sync(contoso)
    settings.SYNC_SWEEP_WINDOW = timedelta(0)
    with scope.tenant(contoso.pk):
        bad = Incident.objects.filter(is_open=True).order_by("pk").values_list("number", flat=True)[2]
    world.poison_incident(theirs, bad, way)
    sweep_is_due(contoso)
    for _ in range(12):
        forget_waits(contoso)
        sync(contoso)
        if state_of(contoso).sweep_cursor is None:
            break
    assert state_of(contoso).sweep_cursor is None, "the others have been looked at"
    with scope.tenant(contoso.pk):
        assert Quarantine.objects.get(number=bad).settled_at is None
