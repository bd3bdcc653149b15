"""ISO-6: what was allowed is not allowed any more: in the middle of a session, of a live page, of the queue of work."""

import inspect
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.http.response import StreamingHttpResponse

from accounts.models import User
from audit.record import Actor
from incidents.models import Incident
from portal.celery import app
from sandbox.world import World
from tenants import consent, scope
from tenants.leases import ask_for_pass
from tenants.models import Grant, SyncState, TenantGroup, TenantGroupMember
from tenants.tasks import check_due
from tests.cast import Cast, make_cast, make_incident, make_person
from tests.conftest import WebClient, as_worker
from tests.incidents import test_sync
from tests.incidents.synced import cloud, ours, sync_due
from tests.isolation.rows import canary, fill
from tests.repository.tree import PRODUCT, files_in, name_of
from tests.tenants import test_leases

PAGES = ("/incidents/contoso/7/", "/incidents/contoso/7/raw/", "/incidents/contoso/7/changes/", "/tenants/contoso/")
# Task → for whom it acts. One that acts for a person must ask again, as it runs, whether that person still may.
TASKS = {
    "incidents.sync_due": "for the portal: whatever is due",
    "incidents.sync_slow": "for the portal: whatever is due",
    "incidents.deliver_due": "for who decided, whose rights are looked at again: tests/incidents/test_outbox.py",
    "incidents.deliver_soon": "for who decided, whose rights are looked at again: tests/incidents/test_outbox.py",
    "tenants.check_due": "for the portal: whatever is due",
    "tenants.watch_credential": "for the portal",
    "tenants.drop_old_runs": "for the portal",
    "tenants.drop_old_visits": "for the portal",
    "tenants.tell_of_local_sign_ins": "for the portal",
    "audit.anchor": "for the portal",
}
# File → why what it sends as a stream cannot outlive the scope it was asked in.
STREAMS: dict[str, str] = {
    "incidents/views/export.py": "each piece of the file is read in a scope of its own, with the rights of that moment",
    "api/export.py": "the same, and the token is looked at again for each piece",
    "accounts/audit_pages.py": "the audit log belongs to no tenant, and only staff may ask for it",
}


@pytest.fixture
def cast(db: None) -> Cast:
    cast = make_cast()
    fill(cast)
    return cast


@pytest.fixture
def bob(cast: Cast, client: WebClient) -> WebClient:
    """Bob in the middle of a session, with Contoso's pages open."""
    client.force_login(cast.bob)
    for page in PAGES:
        assert client.get(page).status_code == 200
    return client


def shown(browser: WebClient, path: str) -> str:
    answer = browser.get(path)
    return f"{answer.headers} {answer.content.decode()}"


def test_a_grant_taken_away_ends_every_page_with_the_next_request(cast: Cast, bob: WebClient) -> None:
    Grant.objects.filter(user=cast.bob).delete()
    assert [bob.get(page).status_code for page in PAGES] == [404] * len(PAGES)
    for page in ("/incidents/", "/incidents/rows/", "/tenants/"):
        assert "Contoso" not in shown(bob, page)
        assert canary(cast.contoso) not in shown(bob, page)


def test_a_person_who_may_not_sign_in_any_more_is_out_with_the_next_request(cast: Cast, bob: WebClient) -> None:
    User.objects.filter(pk=cast.bob.pk).update(is_active=False)
    for page in PAGES:
        assert bob.get(page).headers["Location"].startswith("/sign-in/")


def test_a_tenant_that_leaves_a_group_leaves_its_peoples_sight(cast: Cast, client: WebClient) -> None:
    group = TenantGroup.objects.get()
    erin = make_person("erin")
    Grant.objects.create(user=erin, group=group, role="viewer")
    client.force_login(erin)
    assert client.get(PAGES[0]).status_code == 200
    with scope.operations():
        TenantGroupMember.objects.filter(tenant=cast.contoso).delete()
    assert client.get(PAGES[0]).status_code == 404
    assert client.get("/incidents/fabrikam/7/").status_code == 200


def test_somebody_who_is_not_staff_any_more_is_out_of_the_administration(cast: Cast, client: WebClient) -> None:
    dana = make_person("dana", is_staff=True)
    client.force_login(dana)
    assert client.get("/admin/tenants/tenant/").status_code == 200
    assert client.get("/tenants/contoso/").status_code == 200
    User.objects.filter(pk=dana.pk).update(is_staff=False)
    assert client.get("/admin/tenants/tenant/").status_code == 403
    assert client.post("/tenants/contoso/check/").status_code == 403
    assert client.get("/tenants/contoso/").status_code == 404


def test_a_live_page_gets_nothing_more_of_a_tenant_whose_grant_is_gone(cast: Cast, client: WebClient) -> None:
    client.force_login(cast.alice)
    version = re.search(r"version=(\w+)", client.get("/incidents/").text)
    assert version
    poll = f"/incidents/rows/?version={version[1]}"
    assert client.get(poll).status_code == 204
    Grant.objects.filter(user=cast.alice, tenant=cast.contoso).delete()
    part = client.get(poll).text
    assert canary(cast.fabrikam) in part
    assert canary(cast.contoso) not in part
    assert "Contoso" not in part


def test_the_next_page_leads_on_without_a_tenant_whose_grant_is_gone_x5(cast: Cast, client: WebClient) -> None:
    for number in range(100, 160):
        make_incident(cast.contoso, number, f"Contoso {number}")
    make_incident(cast.fabrikam, 99, "Fabrikam's oldest", updated_at=datetime(2026, 1, 1, tzinfo=UTC))
    client.force_login(cast.alice)
    older = re.search(r"after=[\w%=-]+", client.get("/incidents/").text)
    assert older
    page = f"/incidents/?{older[0]}"
    assert "Contoso 1" in client.get(page).text
    Grant.objects.filter(user=cast.alice, tenant=cast.contoso).delete()
    text = client.get(page).text
    assert "oldest" in text
    assert "Contoso" not in text


def test_no_answer_is_a_stream_that_could_outlive_its_scope() -> None:
    streaming = (StreamingHttpResponse.__name__, "FileResponse", "async def ")
    found = [
        name_of(path) for path in files_in(*PRODUCT, suffix=".py") if any(w in path.read_text() for w in streaming)
    ]
    assert set(found) == set(STREAMS), "a stream reads after its request's scope has closed: say in STREAMS why it may"


def test_every_task_says_for_whom_it_acts_and_takes_nothing_from_its_message() -> None:
    app.loader.import_default_modules()
    registered = {name for name in app.tasks if not name.startswith("celery.")}
    assert registered == set(TASKS), "say in TASKS of tests/isolation/test_time.py for whom the task acts"
    for name in registered:
        assert not inspect.signature(app.tasks[name].run).parameters, f"{name} believes what a message says"


@pytest.mark.django_db
def test_a_tenant_disconnected_while_its_wake_up_waits_is_not_read_o1(settings: Any) -> None:
    names = ["Contoso", "Fabrikam"]
    with cloud(World(seed=7, tenants=names, incidents=(3, 3), quotas=False), settings) as world:
        contoso, fabrikam = (ours(world.tenant(name)) for name in names)
        for name in names:
            world.set_state(world.tenant(name), "connected")
        with scope.operations():
            consent.disconnect(tenant=contoso, by=Actor("Ada (#1)"), now=datetime.now(UTC))
            SyncState.objects.filter(tenant=contoso).update(next_due_at=datetime(2026, 1, 1, tzinfo=UTC))
        assert sync_due() == 1
        called = {call.tenant_id for call in world.calls.since(0)}
    assert called == {str(fabrikam.entra_id)}
    with scope.tenant(contoso.pk):
        assert Incident.objects.count() == 0


@pytest.mark.django_db
def test_what_staff_asked_for_is_dropped_where_the_tenant_was_disconnected_meanwhile(settings: Any) -> None:
    with cloud(World(seed=7, tenants=["Contoso"], incidents=(3, 3), quotas=False), settings) as world:
        contoso = ours(world.tenant("Contoso"))
        with scope.operations():
            ask_for_pass(contoso)
            consent.ask_check(tenant=contoso, by=Actor("Ada (#1)"), now=datetime(2026, 1, 1, tzinfo=UTC))
            consent.disconnect(tenant=contoso, by=Actor("Bea (#2)"), now=datetime.now(UTC))
        with as_worker():
            check_due()
        assert sync_due() == 0
        assert world.calls.since(0) == []


def test_a_worker_that_reads_a_tenant_as_it_is_disconnected_stops() -> None:
    """Proved where the pass is: this fails if those proofs are gone."""
    assert callable(test_sync.test_a_tenant_that_staff_disconnect_is_read_no_further)
    assert callable(test_leases.test_a_tenant_that_was_disconnected_is_fenced_and_stays_without_a_date)
