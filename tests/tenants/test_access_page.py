"""Who sees a tenant, and through what: given and taken on a page, effective at the next request, never to oneself."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, ProgrammingError, transaction
from django.urls import reverse

from accounts.models import User
from accounts.roles import Permission, Role
from audit.models import AuditEvent
from tenants import scope
from tenants.access import allows
from tenants.models import Grant, TenantGroup, TenantGroupMember
from tests.cast import Cast, make_cast, make_person
from tests.conftest import WebClient, database_role

PAGE = "/tenants/contoso/access/"
GIVE, CHANGE = f"{PAGE}give/", f"{PAGE}change/"


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def ada(cast: Cast) -> User:
    return make_person("ada", is_staff=True)


@pytest.fixture
def staff(ada: User, client: WebClient) -> WebClient:
    client.force_login(ada)
    return client


def grant_of(user: User) -> Grant:
    return Grant.objects.get(user=user, tenant__slug="contoso")


def log() -> list[tuple[str, str, dict[str, Any]]]:
    rows = AuditEvent.objects.filter(action__contains="role").order_by("id")
    return [(row.action, row.subject, row.details) for row in rows]


def test_it_lists_who_sees_the_tenant_and_through_what(staff: WebClient, cast: Cast) -> None:
    everywhere = TenantGroup.objects.create(name="All tenants", covers_all=True)
    some, other = TenantGroup.objects.create(name="North"), TenantGroup.objects.create(name="South")
    with scope.operations():
        TenantGroupMember.objects.create(group=some, tenant=cast.contoso)
    for name, group in (("dora", everywhere), ("erin", some), ("frank", other)):
        Grant.objects.create(user=make_person(name), group=group, role=Role.VIEWER)
    page = staff.get(PAGE).text
    listed = page.partition("Give a role")[0]
    for text in ("Alice", "Bob", "Dora", "All tenants", "Erin", "North"):
        assert text in listed, text
    for text in ("Charlie", "Frank", "South"):
        assert text not in listed, text


def test_a_role_given_and_taken_holds_at_the_next_request_iso6(staff: WebClient, cast: Cast) -> None:
    charlie = WebClient()
    charlie.force_login(cast.charlie)
    assert charlie.get("/tenants/contoso/").status_code == 404
    given = staff.post(GIVE, {"person": cast.charlie.pk, "role": "viewer"}, follow=True)
    assert "Charlie may now see this tenant as viewer." in given.text
    assert charlie.get("/tenants/contoso/").status_code == 200
    grant = grant_of(cast.charlie)
    assert grant.granted_by.startswith("Ada (#")
    changed = staff.post(CHANGE, {"grant": grant.pk, "role": "analyst"}, follow=True)
    assert "Charlie is now analyst here." in changed.text
    assert grant_of(cast.charlie).role == Role.ANALYST
    staff.post(CHANGE, {"grant": grant.pk, "role": "none"})
    assert charlie.get("/tenants/contoso/").status_code == 404
    subject = f"Charlie (#{cast.charlie.pk})"
    assert log() == [
        ("grant role", subject, {"role": "Viewer"}),
        ("change role", subject, {"role": "Analyst", "before": "Viewer"}),
        ("take role back", subject, {"role": "Analyst"}),
    ]


def test_giving_it_twice_changes_nothing_and_says_so(staff: WebClient, cast: Cast) -> None:
    again = staff.post(GIVE, {"person": cast.bob.pk, "role": "viewer"}, follow=True)
    assert "Bob was here already as viewer." in again.text
    assert log() == []


def test_nobody_gives_a_role_to_themselves_on_any_page(staff: WebClient, cast: Cast, ada: User) -> None:
    assert f'value="{ada.pk}"' not in staff.get(PAGE).text
    assert staff.post(GIVE, {"person": ada.pk, "role": "viewer"}).status_code == 422
    added = staff.post(
        reverse("admin:tenants_grant_add"), {"user": ada.pk, "role": "viewer", "tenant": cast.contoso.pk}
    )
    assert "Nobody gives a role to themselves" in added.text
    inline = {"grants-TOTAL_FORMS": 1, "grants-INITIAL_FORMS": 0, "grants-MIN_NUM_FORMS": 0, "grants-MAX_NUM_FORMS": 9,
              "grants-0-user": ada.pk, "grants-0-role": "analyst", "grants-0-tenant": cast.contoso.pk}  # fmt: skip
    own = {"username": "ada", "display_name": "Ada", "is_active": "on", "is_staff": "on", **inline}
    page = staff.post(reverse("admin:accounts_user_change", args=[ada.pk]), own)
    assert (page.status_code, "Nobody gives a role to themselves" in page.text) == (200, True)
    assert not Grant.objects.filter(user=ada).exists()
    assert staff.get("/tenants/contoso/").status_code == 200, "staff see the connection all the same"


def test_nobody_widens_a_grant_of_their_own(staff: WebClient, cast: Cast, ada: User) -> None:
    group = TenantGroup.objects.create(name="North")
    own = Grant.objects.create(user=ada, role=Role.VIEWER, group=group)
    direct = Grant.objects.create(user=ada, role=Role.VIEWER, tenant=cast.contoso)
    refused = staff.post(CHANGE, {"grant": direct.pk, "role": "analyst"}, follow=True)
    assert "Nobody gives a role to themselves" in refused.text
    form = {"user": cast.bob.pk, "role": "analyst", "group": group.pk}
    assert staff.post(reverse("admin:tenants_grant_change", args=[own.pk]), form).status_code == 200
    member = {"tenantgroupmember_set-TOTAL_FORMS": 1, "tenantgroupmember_set-INITIAL_FORMS": 0,
              "tenantgroupmember_set-MIN_NUM_FORMS": 0, "tenantgroupmember_set-MAX_NUM_FORMS": 9,
              "tenantgroupmember_set-0-tenant": cast.fabrikam.pk}  # fmt: skip
    for more in (member, {**member, "covers_all": "on", "tenantgroupmember_set-TOTAL_FORMS": 0}):
        page = staff.post(reverse("admin:tenants_tenantgroup_change", args=[group.pk]), {"name": "North", **more})
        assert "You have a role over this group" in page.text
    assert set(Grant.objects.filter(user=ada).values_list("role", flat=True)) == {"viewer"}
    group.refresh_from_db()
    assert not group.covers_all
    staff.post(CHANGE, {"grant": direct.pk, "role": "none"})
    assert not Grant.objects.filter(pk=direct.pk).exists(), "giving one up is nobody's harm"


def test_the_database_refuses_it_too(cast: Cast, ada: User) -> None:
    group = TenantGroup.objects.create(name="North")
    Grant.objects.create(user=ada, role=Role.VIEWER, group=group)
    with database_role("web"), scope.person(ada):
        for write in (
            lambda: Grant.objects.create(user=ada, role=Role.VIEWER, tenant=cast.contoso),
            lambda: Grant.objects.filter(user=ada).update(role=Role.ANALYST),
            lambda: Grant.objects.filter(user=cast.bob).update(user=ada),
            lambda: TenantGroupMember.objects.create(group=group, tenant=cast.contoso),
            lambda: TenantGroup.objects.filter(pk=group.pk).update(covers_all=True),
        ):
            with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
                write()
        assert Grant.objects.create(user=cast.charlie, role=Role.VIEWER, tenant=cast.contoso).pk


def test_the_database_lets_only_staff_change_groups(cast: Cast, ada: User) -> None:
    group = TenantGroup.objects.create(name="North")
    Grant.objects.create(user=cast.charlie, role=Role.VIEWER, group=group)
    with database_role("web"), scope.person(cast.charlie):
        assert TenantGroup.objects.filter(pk=group.pk).update(covers_all=True) == 0
        assert TenantGroup.objects.filter(pk=group.pk).delete()[0] == 0
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            TenantGroup.objects.create(name="Mine", covers_all=True)
    with database_role("web"), scope.person(ada):
        assert TenantGroup.objects.filter(pk=group.pk).update(covers_all=True) == 1, "it is somebody else's role"


def test_the_log_says_over_what_a_role_was_given_in_the_administration(staff: WebClient, cast: Cast) -> None:
    given = {"user": cast.charlie.pk, "role": "viewer", "tenant": cast.contoso.pk}
    assert staff.post(reverse("admin:tenants_grant_add"), given).status_code == 302
    row = AuditEvent.objects.get(action="admin: add")
    assert row.subject == f"grant Charlie (#{cast.charlie.pk}): viewer over tenant {cast.contoso.pk}"


def test_staff_do_not_switch_their_own_rights(staff: WebClient, ada: User) -> None:
    empty = {"grants-TOTAL_FORMS": 0, "grants-INITIAL_FORMS": 0, "grants-MIN_NUM_FORMS": 0, "grants-MAX_NUM_FORMS": 9}
    form = {"username": "ada", "display_name": "Ada", "is_active": "on", **empty}
    page = staff.post(reverse("admin:accounts_user_change", args=[ada.pk]), form)
    assert "Somebody else has to change this for you." in page.text
    ada.refresh_from_db()
    assert ada.is_staff


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"grant": "1"},
        {"grant": "x", "role": "none"},
        {"grant": "٣", "role": "none"},
        {"grant": "9" * 30, "role": "none"},
    ],
    ids=["nothing", "no role", "letters", "other digits", "huge"],
)
def test_what_names_no_grant_of_this_tenant_is_404(staff: WebClient, cast: Cast, fields: dict[str, str]) -> None:
    assert staff.post(CHANGE, {**fields, "grant": fields.get("grant", "0")[:40]}).status_code in {404}
    elsewhere = Grant.objects.get(user=cast.charlie)
    assert staff.post(CHANGE, {"grant": elsewhere.pk, "role": "none"}).status_code == 404
    assert Grant.objects.filter(pk=elsewhere.pk).exists()


def test_a_role_over_a_group_is_not_changed_here(staff: WebClient, cast: Cast) -> None:
    group = TenantGroup.objects.create(name="All", covers_all=True)
    grant = Grant.objects.create(user=cast.bob, group=group, role=Role.ANALYST)
    assert staff.post(CHANGE, {"grant": grant.pk, "role": "none"}).status_code == 404
    assert Grant.objects.filter(pk=grant.pk).exists()


def test_members_may_not_and_outsiders_learn_nothing(client: WebClient, cast: Cast) -> None:
    for person in (cast.alice, cast.bob, cast.charlie):
        client.force_login(person)
        assert client.get(PAGE).status_code == 403
        assert client.get("/tenants/no-such-tenant/access/").status_code == 403
        assert client.post(GIVE, {"person": person.pk, "role": "analyst"}).status_code == 403
    assert WebClient().get(PAGE).status_code == 302


def test_no_audit_means_no_change(staff: WebClient, cast: Cast, audit_fails: Callable[[], Any]) -> None:
    grant = grant_of(cast.bob)
    for path, fields in (
        (GIVE, {"person": cast.charlie.pk, "role": "viewer"}),
        (CHANGE, {"grant": grant.pk, "role": "analyst"}),
        (CHANGE, {"grant": grant.pk, "role": "none"}),
    ):
        with audit_fails(), pytest.raises(DatabaseError):
            staff.post(path, fields)
    assert grant_of(cast.bob).role == Role.VIEWER
    assert not Grant.objects.filter(user=cast.charlie, tenant=cast.contoso).exists()


def test_whoever_is_switched_off_is_allowed_nothing_whatever_they_were(db: None) -> None:
    cast = make_cast()
    for person in (cast.alice, make_person("ada", is_staff=True)):
        with scope.person(person):
            assert allows(person, cast.contoso, Permission.READ_CONNECTION)
            person.is_active = False
            assert not allows(person, cast.contoso, Permission.READ_CONNECTION)
