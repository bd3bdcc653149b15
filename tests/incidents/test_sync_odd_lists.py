"""Lists that never end, come out of order, or hold what spoils a page; dates that no clock has ever shown."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from defender.client import DefenderClient, IncidentPage
from incidents.models import Quarantine
from incidents.sync import sync_tenant
from sandbox.cast import Tenant as TheirTenant
from sandbox.odata import Query
from sandbox.world import World
from tenants import leases, scope, tokens
from tenants.clients import client_for
from tenants.models import Alarm, SyncRun, SyncState, Tenant
from tests.conftest import as_worker
from tests.incidents.synced import (
    assert_nothing_lost,
    cloud,
    forget_waits,
    held,
    ours,
    state_of,
    sync,
    sync_until_complete,
)

pytestmark = pytest.mark.django_db
Ended = SyncRun.Ended


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    with cloud(World(seed=3, tenants=["Contoso"], incidents=(250, 250), quotas=False), settings) as world:
        yield world


@pytest.fixture
def theirs(world: World) -> TheirTenant:
    return world.tenant("Contoso")


@pytest.fixture
def contoso(theirs: TheirTenant) -> Tenant:
    return ours(theirs)


@pytest.fixture
def long_passes(settings: Any) -> None:
    """Each pass makes room after two pages."""
    settings.SYNC_PASS_LIMIT = timedelta(0)


def test_sync_f9_a_list_that_never_ends_is_given_up_also_where_each_part_of_the_pass_is_short(
    contoso: Tenant, theirs: TheirTenant, long_passes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("incidents.sync.MAX_PAGES", 2, raising=False)
    assert [sync(contoso).ended, sync(contoso).ended] == [Ended.STOPPED, Ended.TRANSIENT]
    assert Alarm.objects.filter(key=f"paging-loop-{contoso.pk}", cleared_at=None).exists()
    assert (state_of(contoso).pass_kind, state_of(contoso).watermark) == ("", None), "it begins anew"
    monkeypatch.setattr("incidents.sync.MAX_PAGES", 10_000)
    sync_until_complete(contoso, at_most=9)
    assert not Alarm.objects.filter(cleared_at=None).exists()
    assert_nothing_lost(contoso, theirs)


def test_sync_f9_a_reading_out_of_order_that_is_broken_off_claims_nothing(
    contoso: Tenant, theirs: TheirTenant, long_passes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, hidden = Query.page, theirs.book.newest_first()[60].incident_id

    def disordered(self: Query, versions: Any) -> Any:
        found, more = page(self, versions)
        return ([v for v in found[::-1] if v.incident_id != hidden] if self.skip == 0 else found), more

    with monkeypatch.context() as patch:
        patch.setattr("sandbox.odata.Query.page", disordered)
        assert sync(contoso).ended == Ended.STOPPED
    assert state_of(contoso).pass_newest == ""
    sync_until_complete(contoso, at_most=9)
    sync_until_complete(contoso, at_most=9)
    assert_nothing_lost(contoso, theirs)
    assert state_of(contoso).watermark_text == theirs.book.newest_first()[0].raw["lastUpdateTime"]


@pytest.mark.parametrize(("way", "place"), [("unclosed", 0), ("too large", 30)])
def test_f03_an_incident_that_spoils_every_page_it_is_on_is_left_out_and_the_watermark_moves(
    contoso: Tenant, theirs: TheirTenant, way: str, place: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    offender = theirs.book.newest_first()[place]
    if way == "too large":
        monkeypatch.setattr(tokens.transport(), "_max_bytes", 3 * 1024 * 1024)
        more = {"padding": "x" * 4 * 1024 * 1024}
        theirs.book.change(offender.incident_id, lambda raw: raw.update(more), written=offender.written)
    else:
        offender.way = way
    for _ in range(60):
        forget_waits(contoso)
        if sync(contoso).is_complete:
            break
    assert set(theirs.book.truth()) - set(held(contoso)) == {offender.incident_id}
    assert state_of(contoso).watermark is not None
    with scope.tenant(contoso.pk):
        assert "not-served" in Quarantine.objects.values_list("reason", flat=True)
    assert Alarm.objects.filter(key=f"not-served-{contoso.pk}", cleared_at=None).exists()


def test_sync_f13_a_watermark_of_an_impossible_year_stops_nothing(contoso: Tenant, theirs: TheirTenant) -> None:
    assert sync(contoso).is_complete
    early = datetime(500, 1, 1, tzinfo=UTC)
    with scope.operations():
        SyncState.objects.filter(tenant=contoso).update(watermark=early, watermark_text="0500-01-01T00:00:00Z")
    assert sync(contoso).is_complete
    assert state_of(contoso).watermark_text == theirs.book.newest_first()[0].raw["lastUpdateTime"]


class ElsewhereInTime(DefenderClient):
    """The real client, for a server whose Date header is wrong."""

    date = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

    def incident_pages(self, **options: Any) -> Iterator[IncidentPage]:
        for page in super().incident_pages(**options):
            yield replace(page, server_time=self.date)


@pytest.mark.parametrize("is_empty", [False, True])
def test_sync_f11_a_server_that_names_the_last_day_of_all_is_read_and_its_clock_believed_by_nobody(
    contoso: Tenant, theirs: TheirTenant, is_empty: bool
) -> None:
    if is_empty:
        theirs.book._current.clear()
        theirs.book._order = None
    with as_worker():
        lease = leases.claim(contoso, owner="test")
        assert lease is not None
        client = client_for(contoso)
        client.__class__ = ElsewhereInTime
        assert sync_tenant(client=client, now=timezone.now(), lease=lease).is_complete
    watermark = state_of(contoso).watermark
    assert watermark is not None and watermark < timezone.now() + timedelta(days=2)
    assert Alarm.objects.filter(key="clock-skew", cleared_at=None).exists()
    assert_nothing_lost(contoso, theirs)
