"""S2: the kill switch stops every call to Microsoft within seconds, loses nothing, and is on record."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from audit.models import AuditEvent
from audit.record import COMMAND_LINE
from sandbox.world import World
from tenants import stop
from tenants.models import Alarm, SyncRun, Tenant
from tests.cast import make_person
from tests.conftest import as_worker
from tests.incidents.synced import assert_nothing_lost, cloud, forget_waits, ours, state_of, sync

pytestmark = pytest.mark.django_db
REASON = "the certificate may have been copied"


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    with cloud(World(seed=7, tenants=["Contoso"], incidents=(30, 30), quotas=False), settings) as world:
        yield world
    stop.look_again()


@pytest.fixture
def contoso(world: World) -> Tenant:
    return ours(world.tenant("Contoso"))


def command(*words: str) -> None:
    with as_worker():
        call_command(*words)
    stop.look_again()


def test_s2_nothing_is_called_while_stopped_and_nothing_is_lost_after(world: World, contoso: Tenant) -> None:
    command("stop_calls", REASON)
    before = world.calls.last
    outcome = sync(contoso)
    assert world.calls.since(before) == []
    assert outcome.ended == SyncRun.Ended.THROTTLED
    state = state_of(contoso)
    assert (state.failures, state.last_error) == (0, f"All calls to Microsoft are stopped: {REASON}")
    command("resume_calls")
    forget_waits(contoso)
    sync(contoso)
    assert_nothing_lost(contoso, world.tenant("Contoso"))


def test_s2_a_process_that_runs_already_notices_within_seconds(world: World, contoso: Tenant) -> None:
    sync(contoso)
    with as_worker():
        stop.stop_calls(by=COMMAND_LINE, reason=REASON)
    assert timedelta(seconds=stop.LOOK_EVERY) <= timedelta(seconds=5)
    stop._Look.at -= stop.LOOK_EVERY  # so much time goes by
    before = world.calls.last
    forget_waits(contoso)
    sync(contoso)
    assert world.calls.since(before) == []


def test_s2_staff_see_it_on_every_page_and_it_is_on_record(world: World, contoso: Tenant, client: Client) -> None:
    command("stop_calls", REASON)
    client.force_login(make_person("dora", is_staff=True))
    assert REASON in client.get("/tenants/").content.decode()
    command("resume_calls")
    command("resume_calls")
    assert not Alarm.objects.filter(cleared_at=None).exists()
    events = AuditEvent.objects.filter(action__endswith="all calls").order_by("pk")
    said = [(event.actor, event.action) for event in events]
    assert said == [("command line", "stop all calls"), ("command line", "resume all calls")]
