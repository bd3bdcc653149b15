"""The administration: every registered page for staff, none for others, and every change in the audit log."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import DatabaseError, models
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from api.models import Token
from audit.admin import ReadOnlyAdmin
from audit.models import AuditEvent
from audit.record import WORKER, Event, record
from tenants import scope
from tenants.alarms import raise_alarm
from tenants.models import Customer, Grant, Membership, Tenant, TenantGroup
from tests.cast import PASSWORD, Cast, make_cast, make_person
from tests.conftest import WebClient
from tests.isolation.rows import clue, fill

HISTORY = [model for model, page in admin.site._registry.items() if isinstance(page, ReadOnlyAdmin)]
REGISTERED = [pytest.param(model, id=model._meta.label) for model in admin.site._registry]


@pytest.fixture
def cast(db: None) -> Cast:
    cast = make_cast()
    fill(cast)
    Grant.objects.create(user=cast.bob, group=TenantGroup.objects.get(), role=Role.VIEWER)
    now = timezone.now()
    Token.objects.create(owner=cast.bob, name="contoso", digest="d", created_at=now, expires_at=now + timedelta(days=1))
    raise_alarm(key="k", sentence="The secret is wrong.")
    record(Event(by=WORKER, action="test", tenant=cast.contoso.entra_id))
    return cast


@pytest.fixture
def ada(cast: Cast) -> User:
    """Staff who may also read every tenant's incidents, so that every page has something to show."""
    ada = make_person("ada", is_staff=True)
    Grant.objects.create(user=ada, group=TenantGroup.objects.get(), role=Role.VIEWER)
    return ada


@pytest.fixture
def staff(ada: User, client: WebClient) -> WebClient:
    client.force_login(ada)
    return client


def address(model: type[models.Model], page: str, *arguments: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def first(model: type[models.Model]) -> models.Model:
    """A row of the model that staff can see."""
    with scope.person(User.objects.get(username="ada")):
        row = model._default_manager.first()
    assert row is not None
    return row


def actions() -> list[str]:
    return list(AuditEvent.objects.exclude(action="test").order_by("id").values_list("action", flat=True))


@pytest.mark.parametrize("model", REGISTERED)
def test_staff_see_list_search_detail_history_and_form(staff: WebClient, model: type[models.Model]) -> None:
    row = first(model)
    pages = [
        address(model, "changelist"),
        *(f"{address(model, 'changelist')}?q={word}" for word in ("contoso", "a1b2c3d4-0000-4000-8000-000000000001")),
        f"{address(model, 'changelist')}?o=1.-2",
        address(model, "change", row.pk),
        address(model, "history", row.pk),
    ]
    for page in pages:
        assert staff.get(page).status_code == 200, page
    assert staff.get(address(model, "add")).status_code in {200, 302, 403}


@pytest.mark.parametrize("model", REGISTERED)
def test_every_filter_of_a_list_works(staff: WebClient, model: type[models.Model]) -> None:
    page = staff.get(address(model, "changelist")).text
    for query in set(re.findall(r'<a href="(\?[^"]+)"', page)):
        assert staff.get(address(model, "changelist") + query.replace("&amp;", "&")).status_code == 200


@pytest.mark.parametrize("model", REGISTERED)
def test_nobody_else_sees_any_of_it_x4(cast: Cast, ada: User, client: WebClient, model: type[models.Model]) -> None:
    pages = [address(model, "changelist"), address(model, "add"), address(model, "change", first(model).pk)]
    for page in pages:
        answer = client.get(page)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"/sign-in/?next={page}")
    client.force_login(cast.alice)
    for page in (*pages, "/admin/", "/admin/password_change/", "/admin/autocomplete/", "/admin/jsi18n/"):
        for method in (client.get, client.post):
            assert method(page).status_code == 403, page


@pytest.mark.parametrize("page", ["/admin/", "/admin/tenants/customer/"])
def test_staff_come_through_the_one_door_to_where_they_wanted(ada: User, client: WebClient, page: str) -> None:
    door = client.get(page, follow=True)
    assert door.redirect_chain[-1] == (f"/sign-in/?next={page}", 302)
    there = client.post(door.redirect_chain[-1][0], {"username": "ada", "password": PASSWORD, "next": page})
    assert there.headers["Location"] == page
    assert client.get(page).status_code == 200


def test_the_first_page_works_with_changes_to_show(staff: WebClient, cast: Cast) -> None:
    staff.post(address(Customer, "add"), {"name": "Tailspin"})
    assert "Tailspin" in staff.get("/admin/").text


@pytest.mark.parametrize("model", [pytest.param(model, id=model._meta.label) for model in HISTORY])
def test_what_is_history_cannot_be_changed_here(staff: WebClient, model: type[models.Model]) -> None:
    row = first(model)
    for page in ("change", "delete"):
        assert staff.post(address(model, page, row.pk), {"post": "yes"}).status_code == 403
    assert staff.post(address(model, "add"), {}).status_code == 403


@pytest.mark.parametrize("model", [User, Tenant, Customer])
def test_people_tenants_and_customers_are_never_deleted_here(staff: WebClient, model: type[models.Model]) -> None:
    row = first(model)
    assert staff.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    staff.post(address(model, "changelist"), {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"})
    assert first(model).pk == row.pk


def new_person(**more: str) -> dict[str, str]:
    inline = {f"grants-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")}
    return {"username": "dora", "display_name": "Dora", "password1": PASSWORD, "password2": PASSWORD, **inline, **more}


def test_staff_add_a_person_who_can_sign_in(staff: WebClient) -> None:
    assert staff.post(address(User, "add"), new_person()).status_code == 302
    dora = User.objects.get(username="dora")
    assert (dora.is_staff, dora.check_password(PASSWORD)) == (False, True)
    row = AuditEvent.objects.get(action="admin: add")
    assert (row.subject, PASSWORD in str(row.details)) == ("person Dora", False)
    other = WebClient()
    assert other.post("/sign-in/", {"username": "dora", "password": PASSWORD}).status_code == 302


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"username": ""}, "This field is required"),
        ({"username": "alice"}, "already exists"),
        ({"display_name": ""}, "This field is required"),
        ({"password1": "short", "password2": "short"}, "too short"),
        ({"password2": "something else altogether"}, "match"),
    ],
)
def test_a_person_that_cannot_be_made_is_refused_with_a_sentence(
    staff: WebClient, change: dict[str, str], sentence: str
) -> None:
    page = staff.post(address(User, "add"), new_person(**change))
    assert (page.status_code, sentence in page.text) == (200, True)
    assert not User.objects.filter(username="dora").exists()
    assert actions() == []


def person_form(user: User, *grants: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The change form of a person with its inline grants."""
    form: dict[str, Any] = {"username": user.username or "", "display_name": user.display_name, "is_active": "on"}
    kept = sum(1 for grant in grants if grant.get("id"))
    form |= {"grants-TOTAL_FORMS": len(grants), "grants-INITIAL_FORMS": kept}
    form |= {"grants-MIN_NUM_FORMS": 0, "grants-MAX_NUM_FORMS": 1000}
    for number, grant in enumerate(grants):
        values = {"id": "", "user": user.pk, "role": "viewer", "tenant": "", "group": "", **grant}
        form |= {f"grants-{number}-{name}": value for name, value in values.items()}
    return {**form, **more}


def test_a_grant_is_given_and_taken_on_the_persons_page(staff: WebClient, cast: Cast) -> None:
    page = address(User, "change", cast.charlie.pk)
    [old] = Grant.objects.filter(user=cast.charlie)
    kept = {"id": old.pk, "role": old.role, "tenant": cast.northwind.pk}
    given = staff.post(page, person_form(cast.charlie, kept, {"tenant": cast.contoso.pk, "role": "analyst"}))
    assert given.status_code == 302, given.text[:2000]
    assert Membership.objects.filter(user=cast.charlie, tenant=cast.contoso, role="analyst").exists()
    client = WebClient()
    client.force_login(cast.charlie)
    assert client.get("/tenants/contoso/").status_code == 200
    staff.post(page, person_form(cast.charlie, {**kept, "DELETE": "on"}))
    assert client.get("/tenants/northwind/").status_code == 404
    rows = AuditEvent.objects.filter(action="admin: change").order_by("id")
    assert [row.subject for row in rows] == ["person Charlie"] * 2
    assert "grant" in str(rows[0].details)
    assert rows[0].actor.startswith("Ada (#")


def test_a_local_account_keeps_a_user_name_and_a_person_from_entra_gets_none(staff: WebClient, cast: Cast) -> None:
    page = staff.post(address(User, "change", cast.bob.pk), person_form(cast.bob, username=""))
    assert "A local account needs a user name." in page.text
    eve = User.objects.create(
        display_name="Eve", tid="00000000-0000-4000-8000-000000000001", oid="00000000-0000-4000-8000-000000000002"
    )
    page = staff.post(address(User, "change", eve.pk), person_form(eve, username="eve"))
    assert "have no user name here" in page.text
    changed = person_form(eve, display_name="Eva", is_staff="on")
    assert staff.post(address(User, "change", eve.pk), changed).status_code == 302
    assert staff.get(address(User, "change", eve.pk)).status_code == 200
    eve.refresh_from_db()
    assert (eve.display_name, eve.username, eve.is_staff) == ("Eve", None, False), "Entra ID says both"


def test_switching_somebody_off_ends_their_visit_and_is_recorded(staff: WebClient, cast: Cast) -> None:
    client = WebClient()
    client.force_login(cast.bob)
    assert client.get("/tenants/").status_code == 200
    grants = [{"id": g.pk, "role": g.role, "tenant": g.tenant_id or "", "group": g.group_id or ""}
              for g in Grant.objects.filter(user=cast.bob)]  # fmt: skip
    form = person_form(cast.bob, *grants)
    form.pop("is_active")
    assert staff.post(address(User, "change", cast.bob.pk), form).status_code == 302
    assert client.get("/tenants/").status_code == 302
    assert actions() == ["admin: change", "end session"]


def test_a_password_given_to_somebody_is_recorded_without_it(staff: WebClient, cast: Cast) -> None:
    page = reverse("admin:auth_user_password_change", args=[cast.bob.pk])
    assert staff.get(page).status_code == 200
    new = "another long enough password"
    staff.post(page, {"password1": new, "password2": new, "usable_password": "true"})
    cast.bob.refresh_from_db()
    assert cast.bob.check_password(new)
    row = AuditEvent.objects.get(action="admin: change")
    assert (row.subject, new in str(row.details)) == ("person Bob", False)


def test_a_group_is_filled_and_removed_and_memberships_follow(staff: WebClient, cast: Cast) -> None:
    inline = {"tenantgroupmember_set-TOTAL_FORMS": 1, "tenantgroupmember_set-INITIAL_FORMS": 0,
              "tenantgroupmember_set-MIN_NUM_FORMS": 0, "tenantgroupmember_set-MAX_NUM_FORMS": 1000,
              "tenantgroupmember_set-0-tenant": cast.fabrikam.pk}  # fmt: skip
    made = staff.post(address(TenantGroup, "add"), {"name": "North", **inline})
    assert made.status_code == 302, made.text[:2000]
    group = TenantGroup.objects.get(name="North")
    staff.post(address(Grant, "add"), {"user": cast.charlie.pk, "role": "viewer", "group": group.pk})
    assert Grant.objects.get(group=group).granted_by == "Ada"
    assert Membership.objects.filter(user=cast.charlie, tenant=cast.fabrikam).exists()
    staff.post(address(TenantGroup, "delete", group.pk), {"post": "yes"})
    assert not TenantGroup.objects.filter(name="North").exists()
    assert not Membership.objects.filter(user=cast.charlie, tenant=cast.fabrikam).exists()
    assert actions() == ["admin: add", "admin: add", "admin: delete"]


def test_a_grant_over_nothing_or_over_both_is_refused_with_a_sentence(staff: WebClient, cast: Cast) -> None:
    group = TenantGroup.objects.get()
    before = Grant.objects.count()
    for target in ({}, {"tenant": cast.contoso.pk, "group": group.pk}):
        page = staff.post(address(Grant, "add"), {"user": cast.charlie.pk, "role": "viewer", **target})
        assert (page.status_code, "errorlist" in page.text) == (200, True)
    again = {"user": cast.bob.pk, "role": "viewer", "tenant": cast.contoso.pk}
    page = staff.post(address(Grant, "add"), again)
    assert (page.status_code, "errorlist" in page.text) == (200, True)
    assert Grant.objects.count() == before


@pytest.mark.parametrize("key", ["contoso", "-1", "9" * 5000, "\u0661", "<b>"])
def test_what_is_no_key_chooses_nothing(staff: WebClient, cast: Cast, key: str) -> None:
    add = reverse("admin:tenants_grant_add")
    assert staff.get(add, {"tenant": key, "user": key}).status_code == 200
    answer = staff.post(add, {"user": key, "tenant": key, "role": "viewer"})
    assert answer.status_code == 200
    assert "Select a valid choice" in answer.text


def test_several_rows_deleted_at_once_are_recorded_one_by_one(staff: WebClient, cast: Cast) -> None:
    grants = list(Grant.objects.filter(user=cast.alice).values_list("pk", flat=True))
    form = {"action": "delete_selected", "_selected_action": grants, "post": "yes"}
    assert staff.post(address(Grant, "changelist"), form).status_code == 302
    assert actions() == ["admin: delete"] * 2
    assert not Membership.objects.filter(user=cast.alice).exists()


def test_a_customer_is_renamed_and_a_tenants_state_is_not_typed_in(staff: WebClient, cast: Cast) -> None:
    staff.post(address(Customer, "change", cast.contoso.customer_id), {"name": "Contoso Ltd"})
    runs = {f"sync_runs-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")}
    form = {"name": "Contoso (main)", "state": "disconnected", "entra_id": cast.fabrikam.entra_id, **runs}
    assert staff.post(address(Tenant, "change", cast.contoso.pk), form).status_code == 302
    with scope.operations():
        tenant = Tenant.objects.select_related("customer").get(pk=cast.contoso.pk)
    assert (tenant.customer.name, tenant.name, tenant.state) == ("Contoso Ltd", "Contoso (main)", "connected")
    assert tenant.entra_id == cast.contoso.entra_id
    assert actions() == ["admin: change"] * 2


def test_a_tenants_page_shows_roles_and_runs_and_no_hash_of_a_link(staff: WebClient, cast: Cast) -> None:
    page = staff.get(address(Tenant, "change", cast.contoso.pk)).text
    assert "Incident.Read.All" in page
    assert clue(cast.contoso) in page
    with scope.operations():
        stored = cast.contoso.consent_requests.get()
    shown = staff.get(reverse("admin:tenants_consentrequest_change", args=[stored.pk])).text
    assert stored.link_hash not in shown
    assert stored.state_hash not in shown


def test_autocomplete_answers_staff_only(staff: WebClient, cast: Cast, client: WebClient) -> None:
    query = {"app_label": "tenants", "model_name": "grant", "field_name": "tenant", "term": "conto"}
    assert [row["text"] for row in staff.get("/admin/autocomplete/", query).json()["results"]] == ["Contoso"]
    client.force_login(cast.alice)
    assert client.get("/admin/autocomplete/", query).status_code == 403


def test_no_audit_means_no_change(staff: WebClient, cast: Cast, audit_fails: Callable[[], Any]) -> None:
    with audit_fails(), pytest.raises(DatabaseError):
        staff.post(address(Customer, "add"), {"name": "Tailspin"})
    with audit_fails(), pytest.raises(DatabaseError):
        staff.post(address(User, "add"), new_person())
    with scope.operations():
        assert not Customer.objects.filter(name="Tailspin").exists()
    assert not User.objects.filter(username="dora").exists()


def test_the_administration_has_no_doors_of_its_own(staff: WebClient, cast: Cast) -> None:
    new = "another long enough password"
    fields = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert staff.post("/admin/password_change/", fields).status_code == 302
    assert staff.get("/admin/").status_code == 200, "the one who changes it stays signed in"
    assert staff.get("/admin/login/").headers["Location"] == "/admin/"
    assert staff.get("/admin/logout/").status_code == 405
    assert staff.post("/admin/logout/").headers["Location"] == "/sign-in/"
    assert staff.get("/admin/").status_code == 302
    assert actions() == ["change own password", "ask for a page", "sign out"]
