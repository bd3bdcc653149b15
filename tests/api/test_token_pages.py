"""People make and revoke their own tokens; staff see and revoke all; nobody sees a value twice."""

import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from api import tokens
from api.models import Token, Verb
from audit.models import AuditEvent
from tenants import scope
from tenants.models import Grant, TenantGroup, TenantGroupMember
from tests.api.conftest import Program, make_token
from tests.cast import Cast, make_incident, make_person
from tests.conftest import WebClient, as_worker

VALUE = re.compile(r"portal_[A-Za-z0-9_-]{43}")


@pytest.fixture
def alice(cast: Cast, client: WebClient) -> WebClient:
    client.force_login(cast.alice)
    return client


def form(**more: Any) -> dict[str, Any]:
    day = (timezone.now() + timedelta(days=10)).date().isoformat()
    return {"name": "SIEM", "verbs": ["read-incidents"], "is_everywhere": "on", "expires_on": day, **more}


def stale(client: WebClient) -> None:
    session = client.session
    session["signed_in_at"] = 1
    session.save()


def test_a_new_token_is_shown_once_works_and_is_on_record_without_its_value(cast: Cast, alice: WebClient) -> None:
    make_incident(cast.contoso, 7)
    page = alice.post("/tokens/new/", form())
    (value,) = VALUE.findall(page.text)
    assert Program(value).get("/api/v1/incidents/contoso/7/").status_code == 200
    assert not VALUE.search(alice.get("/tokens/").text)
    assert "SIEM" in alice.get("/tokens/").text
    made = AuditEvent.objects.get(action="create API token")
    assert made.details["verbs"] == ["read-incidents"] and value not in made.canonical


def test_making_and_revoking_ask_for_a_fresh_sign_in(cast: Cast, alice: WebClient) -> None:
    token, _ = make_token(cast.alice)
    stale(alice)
    for path in ("/tokens/new/", f"/tokens/{token.pk}/revoke/"):
        assert alice.post(path, form()).headers["Location"].startswith("/step-up/")
    assert Token.objects.filter(revoked_at=None).count() == 1
    assert alice.get("/tokens/").status_code == 200


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", "", "This field is required."),
        ("verbs", [], "This field is required."),
        ("verbs", ["everything"], "everything is not one of the available choices"),
        ("expires_on", "2020-01-01", "within the next 366 days"),
        ("expires_on", "2999-01-01", "within the next 366 days"),
        ("is_everywhere", "", "Choose tenants or groups"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(alice: WebClient, field: str, value: Any, said: str) -> None:
    page = alice.post("/tokens/new/", form(**{field: value}))
    assert page.status_code == 400
    assert said in page.text
    assert field == "name" or 'value="SIEM"' in page.text
    assert not Token.objects.exists()


def test_only_ones_own_tenants_are_offered_and_taken(cast: Cast, alice: WebClient) -> None:
    page = alice.get("/tokens/new/").text
    assert "Contoso" in page and "Northwind" not in page
    theirs = alice.post("/tokens/new/", form(is_everywhere="", tenants=[cast.northwind.pk]))
    assert theirs.status_code == 400
    alice.post("/tokens/new/", form(is_everywhere="", tenants=[cast.contoso.pk]))
    assert Token.objects.get().tenant_ids == [cast.contoso.pk]
    assert "Contoso" in alice.get("/tokens/").text


def test_a_groups_name_is_not_told_once_none_of_its_tenants_is_the_owners(cast: Cast, alice: WebClient) -> None:
    group = TenantGroup.objects.create(name="Customers of Acme")
    with scope.operations():
        TenantGroupMember.objects.create(group=group, tenant=cast.contoso)
    alice.post("/tokens/new/", form(is_everywhere="", groups=[group.pk]))
    assert "Customers of Acme" in alice.get("/tokens/").text
    with scope.operations():
        TenantGroupMember.objects.filter(group=group).delete()
    page = alice.get("/tokens/").text
    assert "Customers of Acme" not in page and "no tenant of mine any more" in page


def test_revoking_ends_a_token_and_somebody_elses_is_as_unknown_as_none(cast: Cast, alice: WebClient) -> None:
    mine, value = make_token(cast.alice)
    theirs, _ = make_token(cast.bob)
    assert alice.post(f"/tokens/{theirs.pk}/revoke/").status_code == 404
    for _ in range(2):
        assert alice.post(f"/tokens/{mine.pk}/revoke/").headers["Location"] == "/tokens/"
    assert Program(value).get("/api/v1/tenants/").status_code == 401
    assert AuditEvent.objects.filter(action="revoke API token").count() == 1
    theirs.refresh_from_db()
    assert theirs.revoked_at is None


def test_staff_see_all_tokens_in_the_administration_and_revoke_them_there(cast: Cast, client: WebClient) -> None:
    token, value = make_token(cast.alice)
    client.force_login(make_person("dana", is_staff=True))
    listed = "/admin/api/token/"
    assert "alice&#x27;s program" in client.get(listed).text
    one = client.get(f"{listed}{token.pk}/change/").text
    assert tokens.digest_of(value) not in one
    chosen = {"action": "revoke_selected", "_selected_action": token.pk}
    stale(client)
    assert client.post(listed, chosen).headers["Location"].startswith("/step-up/")
    session = client.session
    session["signed_in_at"] = int(timezone.now().timestamp())
    session.save()
    client.post(listed, chosen)
    assert Program(value).get("/api/v1/tenants/").status_code == 401
    assert AuditEvent.objects.get(action="revoke API token").actor.startswith("Dana")


def run(*arguments: str) -> str:
    out = StringIO()
    with as_worker():
        call_command("api_token", *arguments, stdout=out)
    return out.getvalue()


def test_a_service_account_gets_roles_like_a_person_and_nobody_signs_in_with_it(cast: Cast, client: WebClient) -> None:
    run("--owner", "siem", "--new", "SIEM")
    siem = User.objects.get(username="siem")
    assert not siem.has_usable_password() and not siem.is_staff
    Grant.objects.create(user=siem, tenant=cast.contoso, role=Role.VIEWER)
    said = run("--owner", "siem", "--name", "reader", "--may", "read-health", "--tenant", "contoso")
    (value,) = VALUE.findall(said)
    assert [one["tenant"] for one in Program(value).get("/api/v1/tenants/").json()["tenants"]] == ["contoso"]
    assert Token.objects.get().verbs == [Verb.READ_HEALTH]
    for wrong, sentence in (
        (("--owner", "nobody", "--name", "x"), "There is no service account or local account nobody"),
        (("--owner", "siem", "--name", "x", "--tenant", "nosuch"), "There is no tenant or group nosuch"),
        (("--owner", "siem", "--name", "x", "--may", "triage"), "role analyst"),
        (("--owner", "siem", "--name", "x", "--days", "9999"), "within the next 366 days"),
    ):
        with pytest.raises(CommandError, match=sentence):
            run(*wrong)
