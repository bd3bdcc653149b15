"""Answers that break off, come in part, or ask for patience without saying how much: nothing is stored by halves."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from incidents.ending import OUR_WAY_ALARM
from sandbox.cast import Tenant as TheirTenant
from sandbox.server import running
from sandbox.world import World
from tenants import scope, tokens
from tenants.models import Alarm, SyncRun, SyncState, Tenant
from tests.defender.certificates import self_signed
from tests.defender.cutting import CuttingProxy, cutting
from tests.defender.loopback import serving
from tests.incidents.synced import SETTINGS, assert_nothing_lost, forget_waits, held, ours, state_of, sync

pytestmark = pytest.mark.django_db
Ended = SyncRun.Ended
OFFSETS = 200
# Where an answer can break off, as a share of its head (below 1) or of its body (above).
PLACES = {
    "before the first byte": 0.0,
    "in the status line": 0.02,
    "in the headers": 0.5,
    "before the body": 1.0,
    "at the body's first bytes": 1.001,
    "in the body": 1.5,
    "before the last bytes": 1.999,
}


@pytest.fixture
def world() -> World:
    return World(seed=7, tenants=["Contoso"], incidents=(40, 40), quotas=False)


@pytest.fixture
def proxy(world: World, settings: Any) -> Iterator[CuttingProxy]:
    """The portal talks to this world through a proxy that can cut."""
    with running(world) as server, cutting(server.url) as proxy:
        settings.IS_SANDBOX, settings.MICROSOFT_CLOUD = True, "sandbox"
        settings.SANDBOX_URLS = dict.fromkeys(SETTINGS, proxy.url)
        settings.ENTRA_CREDENTIAL = {"ENTRA_CLIENT_SECRET": "sandbox-secret"}
        tokens.forget_everything()
        yield proxy
        tokens.transport().close()
        tokens.forget_everything()


@pytest.fixture
def theirs(world: World) -> TheirTenant:
    return world.tenant("Contoso")


@pytest.fixture
def contoso(theirs: TheirTenant, proxy: CuttingProxy) -> Tenant:
    """Read once; since then ten incidents have changed."""
    tenant = ours(theirs)
    assert sync(tenant).is_complete
    return tenant


def change_some(world: World, theirs: TheirTenant) -> None:
    for number in theirs.book.ids()[:10]:
        world.change_incident(theirs, number, {"severity": "High", "assignedTo": "duty@mssp.example"})


def start_afresh(tenant: Tenant) -> None:
    """As if the tenant had not failed before."""
    forget_waits(tenant)
    with scope.operations():
        SyncState.objects.filter(tenant=tenant).update(failures=0)


@pytest.mark.parametrize("reset", [False, True], ids=["hung up", "reset"])
@pytest.mark.parametrize("place", PLACES)
def test_sync_f4_a_connection_that_breaks_anywhere_is_a_passing_fault(
    contoso: Tenant, world: World, theirs: TheirTenant, proxy: CuttingProxy, place: str, reset: bool
) -> None:
    change_some(world, theirs)
    before, mine = state_of(contoso).watermark_text, held(contoso)
    head = proxy.last.index(b"\r\n\r\n") + 4
    share = PLACES[place]
    proxy.cut = int(head * share) if share <= 1 else head + int((len(proxy.last) - head) * (share - 1) * 0.2)
    proxy.reset = reset
    outcome = sync(contoso)
    assert outcome.ended == Ended.TRANSIENT
    assert outcome.detail.endswith(".")
    assert (state_of(contoso).watermark_text, held(contoso)) == (before, mine)
    proxy.cut, proxy.reset = None, False
    assert sync(contoso).is_complete
    assert_nothing_lost(contoso, theirs)


def test_sync_f6_a_page_cut_at_two_hundred_offsets_stores_no_part_of_it(
    contoso: Tenant, world: World, theirs: TheirTenant, proxy: CuttingProxy
) -> None:
    change_some(world, theirs)
    before, mine, whole = state_of(contoso).watermark_text, held(contoso), 0
    proxy.cut = 0
    sync(contoso)
    whole = len(proxy.last)
    for offset in range(OFFSETS):
        proxy.cut = whole * offset // OFFSETS
        start_afresh(contoso)
        assert sync(contoso).ended == Ended.TRANSIENT, proxy.cut
        assert state_of(contoso).watermark_text == before
    assert held(contoso) == mine
    proxy.cut = None
    assert sync(contoso).is_complete
    assert_nothing_lost(contoso, theirs)


def test_sync_f5_a_certificate_nobody_vouches_for_stops_reading_and_says_that_it_is_our_network(
    contoso: Tenant, world: World, theirs: TheirTenant, proxy: CuttingProxy, tmp_path: Path, settings: Any
) -> None:
    change_some(world, theirs)
    before, mine = state_of(contoso).watermark_text, held(contoso)
    pem = tmp_path / "server.pem"
    pem.write_text("".join(self_signed("localhost")))
    with serving() as impostor:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        impostor.wrap(context)
        settings.SANDBOX_URLS |= {"xdr": impostor.url.replace("http://127.0.0.1", "https://localhost")}
        tokens.forget_everything()
        outcome = sync(contoso)
        assert impostor.asked == [], "neither token nor request went out"
    state = state_of(contoso)
    assert (outcome.ended, state.last_error_code, state.failures) == (Ended.TRANSIENT, "tls", 1)
    assert "Look at the network of this machine." in state.last_error
    assert state.next_due_at is not None and state.next_due_at > timezone.now(), "not again at once"
    assert (state.watermark_text, held(contoso)) == (before, mine)
    assert [alarm.key for alarm in Alarm.objects.filter(cleared_at=None)] == [OUR_WAY_ALARM], "one for all tenants"
    settings.SANDBOX_URLS |= {"xdr": proxy.url}
    tokens.forget_everything()
    assert sync(contoso).is_complete
    assert not Alarm.objects.filter(cleared_at=None).exists()
    assert_nothing_lost(contoso, theirs)


def test_f36_a_partial_success_moves_no_watermark(contoso: Tenant, world: World, theirs: TheirTenant) -> None:
    change_some(world, theirs)
    before, mine = state_of(contoso).watermark_text, held(contoso)
    world.faults.add(theirs.tenant_id, {"kind": "status", "status": 206, "on": ["list"]})
    assert sync(contoso).ended == Ended.TRANSIENT
    state = state_of(contoso)
    assert (state.watermark_text, held(contoso)) == (before, mine)
    assert "a part of the data only" in state.last_error
    world.faults.clear()
    assert sync(contoso).is_complete
    assert_nothing_lost(contoso, theirs)


@pytest.mark.parametrize("header", [False, "soon", "-1", ""])
def test_f38_a_429_that_names_no_time_is_tried_again_after_our_own_wait(
    contoso: Tenant, world: World, theirs: TheirTenant, header: object
) -> None:
    change_some(world, theirs)
    world.faults.add(theirs.tenant_id, {"kind": "throttle", "header": header, "message": "Slow down.", "on": ["list"]})
    assert sync(contoso).ended == Ended.THROTTLED
    due = state_of(contoso).next_due_at
    assert due is not None
    assert 1 < (due - timezone.now()).total_seconds() < 6, "a time in the database, no worker that sleeps"
    world.faults.clear()
    forget_waits(contoso)
    assert sync(contoso).is_complete
    assert_nothing_lost(contoso, theirs)
