"""Saved views: filters under an address that stays, one's own or shared, telling nobody of tenants they may not see."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.utils import ProgrammingError

from accounts.models import User
from audit.models import AuditEvent
from incidents.models import QueuePreference, SavedView
from incidents.saved_views import MAX_VIEWS
from tenants import scope
from tenants.models import TenantGroup, TenantGroupMember
from tests.cast import NOW, Cast, make_cast, make_incident, make_person
from tests.conftest import WebClient, database_role
from tests.incidents.pages import Reader, read

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def alice(cast: Cast, client: WebClient) -> WebClient:
    client.force_login(cast.alice)
    return client


def view_of(owner: User, query: str = "", name: str = "Mine", *, is_shared: bool = False) -> SavedView:
    return SavedView.objects.create(
        owner=owner, name=name, query=query, is_shared=is_shared, created_at=NOW, changed_at=NOW
    )


def page(client: WebClient, address: str) -> Reader:
    answer = client.get(address)
    assert answer.status_code == 200
    return read(answer.content)


def post(client: WebClient, address: str, **form: Any) -> str:
    answer = client.post(address, form)
    assert answer.status_code == 302
    return str(answer.headers["Location"])


def test_filters_are_kept_under_an_address_that_stays(alice: WebClient, cast: Cast) -> None:
    make_incident(cast.contoso, 1, "First")
    make_incident(cast.fabrikam, 2, "Second")
    address = post(alice, "/incidents/views/", name=" My  view ", query="tenant=fabrikam&nonsense=1")
    seen = page(alice, address)
    assert "Second" in seen.text
    assert "First" not in seen.text
    assert "View: My view" in seen.text
    assert post(alice, f"{address}change/", name="Renamed", query="tenant=contoso", filters="1") == address
    seen = page(alice, address)
    assert "First" in seen.text
    assert "View: Renamed" in seen.text
    assert SavedView.objects.get().query == "tenant=contoso"
    assert list(AuditEvent.objects.order_by("pk").values_list("action", flat=True)) == ["save view", "change view"]


def test_a_new_name_alone_keeps_the_filters(alice: WebClient, cast: Cast) -> None:
    view = view_of(cast.alice, "severity=high")
    post(alice, f"/incidents/views/{view.key}/change/", name="Other", query="severity=low")
    view.refresh_from_db()
    assert (view.name, view.query) == ("Other", "severity=high")


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\u202eb"])
def test_a_name_that_is_none_is_refused_with_a_sentence_and_loses_no_filter(alice: WebClient, name: str) -> None:
    address = post(alice, "/incidents/views/", name=name, query="severity=high")
    assert address == "/incidents/?severity=high"
    assert "save again" in page(alice, address).text
    assert not SavedView.objects.exists()


def test_two_views_of_one_name_are_refused_with_a_sentence(alice: WebClient, cast: Cast) -> None:
    view_of(cast.alice, name="Mine")
    view_of(cast.bob, name="Mine")
    assert "There is a view named" in page(alice, post(alice, "/incidents/views/", name="Mine")).text
    assert SavedView.objects.count() == 2


def test_nobody_keeps_views_without_end(alice: WebClient, cast: Cast) -> None:
    for number in range(MAX_VIEWS):
        view_of(cast.alice, name=f"View {number}")
    assert "Remove one first" in page(alice, post(alice, "/incidents/views/", name="One more")).text


def test_what_is_not_shared_does_not_exist_for_others(cast: Cast, client: WebClient) -> None:
    view = view_of(cast.alice, name="Secret plan")
    client.force_login(cast.bob)
    assert "Secret plan" not in page(client, "/incidents/").text
    for key in (view.key, uuid4()):
        assert client.get(f"/incidents/views/{key}/").status_code == 404
        for end in ("change", "remove", "default"):
            assert client.post(f"/incidents/views/{key}/{end}/").status_code == 404


def test_a_shared_view_tells_nobody_of_tenants_and_groups_they_may_not_see(cast: Cast, client: WebClient) -> None:
    make_incident(cast.northwind, 1, "Of Northwind")
    make_incident(cast.contoso, 2, "Of Contoso")
    group = TenantGroup.objects.create(name="Friends of Contoso")
    with scope.operations():
        TenantGroupMember.objects.create(group=group, tenant=cast.contoso)
    both = view_of(cast.alice, "tenant=contoso&tenant=northwind", "Both", is_shared=True)
    theirs = view_of(cast.alice, "tenant=contoso", "Theirs", is_shared=True)
    grouped = view_of(cast.alice, "group=Friends+of+Contoso", "Grouped", is_shared=True)
    client.force_login(cast.charlie)
    answers = {view.name: client.get(view.get_absolute_url()).content.decode() for view in (both, theirs, grouped)}
    for content in answers.values():
        assert "contoso" not in content.lower()
        assert "not available to you" in content
    assert "Of Northwind" in answers["Both"]
    assert "Of Northwind" not in answers["Theirs"]
    assert "Of Northwind" not in answers["Grouped"]
    assert "None of these tenants is yours to see" in answers["Theirs"]


def test_a_shared_view_is_changed_by_its_owner_and_by_staff_and_by_nobody_else(cast: Cast, client: WebClient) -> None:
    view = view_of(cast.alice, name="Ours", is_shared=True)
    client.force_login(cast.bob)
    assert "Ours" in page(client, "/incidents/").text
    assert client.post(f"/incidents/views/{view.key}/change/", {"name": "Bob's"}).status_code == 403
    assert client.post(f"/incidents/views/{view.key}/remove/").status_code == 403
    client.force_login(make_person("dana", is_staff=True))
    post(client, f"/incidents/views/{view.key}/change/", name="Everybody's")
    view.refresh_from_db()
    assert (view.name, view.is_shared, view.owner) == ("Everybody's", True, cast.alice)
    post(client, f"/incidents/views/{view.key}/remove/")
    assert not SavedView.objects.exists()


def test_the_queue_opens_with_the_view_a_person_has_chosen(alice: WebClient, cast: Cast) -> None:
    view = view_of(cast.bob, "severity=high", "Highs", is_shared=True)
    post(alice, f"/incidents/views/{view.key}/default/")
    assert alice.get("/incidents/").headers["Location"] == view.get_absolute_url()
    assert alice.get("/incidents/?status=open").status_code == 200
    assert alice.get("/incidents/", headers={"HX-Request": "true"}).status_code == 200
    assert "/incidents/?status=open" in page(alice, view.get_absolute_url()).links  # clear all
    post(alice, f"/incidents/views/{view.key}/default/", off="1")
    assert alice.get("/incidents/").status_code == 200


def test_a_default_that_is_no_longer_shared_or_is_gone_is_none(cast: Cast, client: WebClient) -> None:
    view = view_of(cast.bob, name="Highs", is_shared=True)
    QueuePreference.objects.create(user=cast.alice, default_view=view)
    SavedView.objects.update(is_shared=False)
    client.force_login(cast.alice)
    assert client.get("/incidents/").status_code == 200
    client.force_login(cast.bob)
    post(client, f"/incidents/views/{view.key}/remove/")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert QueuePreference.objects.get().default_view_id is None


def test_columns_are_kept_per_person(alice: WebClient, cast: Cast, client: WebClient) -> None:
    make_incident(cast.contoso, 1, account="megan@contoso.com", classification="TruePositive", determination="Malware")
    form = {"column": ["classification", "tags", "techniques", "created", "nonsense"], "query": "status=all"}
    assert alice.post("/incidents/columns/", form).headers["Location"] == "/incidents/?status=all"
    seen = page(alice, "/incidents/")
    assert "True positive: Malware" in seen.text
    assert "megan@contoso.com" not in seen.text
    client.force_login(cast.bob)
    assert "megan@contoso.com" in page(client, "/incidents/").text


def test_the_database_itself_keeps_views_and_preferences_apart(cast: Cast) -> None:
    view_of(cast.alice, name="Hers")
    shared = view_of(cast.alice, name="Shared", is_shared=True)
    QueuePreference.objects.create(user=cast.alice)
    with database_role("web"), scope.person(cast.bob):
        assert [view.name for view in SavedView.objects.all()] == ["Shared"]
        assert SavedView.objects.filter(pk=shared.pk).update(name="Bob's") == 0
        assert SavedView.objects.all().delete()[0] == 0
        assert not QueuePreference.objects.exists()
    with pytest.raises(ProgrammingError), database_role("web"), scope.person(cast.bob):
        view_of(cast.alice, name="Forged")


def test_a_person_goes_with_their_views(cast: Cast) -> None:
    view = view_of(cast.bob, is_shared=True)
    QueuePreference.objects.create(user=cast.alice, default_view=view)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM tenants_membership WHERE user_id = %s", [cast.bob.pk])
        cursor.execute("DELETE FROM tenants_grant WHERE user_id = %s", [cast.bob.pk])
        cursor.execute("DELETE FROM accounts_user WHERE id = %s", [cast.bob.pk])
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    assert not SavedView.objects.exists()
    assert QueuePreference.objects.get().default_view_id is None
