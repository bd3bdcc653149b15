"""What staff do on the pages: each leaves a row that is due and an audit row, or a sentence and nothing."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError

from accounts.models import User
from audit.models import AuditEvent
from tenants import scope, tasks
from tenants.models import ConsentRequest, SyncState, Tenant, TenantState, TokenFacts
from tests.cast import Cast, make_person
from tests.conftest import WebClient, as_worker
from tests.defender.loopback import answer
from tests.defender.microsoft import CONTOSO, ROLES, Microsoft, discovery, oauth_error
from tests.tenants.arranged import again, audited, everything_stored, invited, now, prove

FORM = {"customer": "Contoso", "tenant": str(CONTOSO), "form": ""}


@pytest.fixture
def ada(db: None) -> User:
    return make_person("ada", is_staff=True)


@pytest.fixture
def staff(ada: User, client: WebClient) -> WebClient:
    client.force_login(ada)
    return client


def count() -> int:
    with scope.operations():
        return Tenant.objects.count() + ConsentRequest.objects.count()


def test_connecting_shows_the_link_once_and_stores_it_nowhere_k1(
    staff: WebClient, entra: Microsoft, written_log: Callable[[], str], ada: User
) -> None:
    page = staff.post("/tenants/connect/", FORM)
    [link] = set(re.findall(r"http://localhost:8000/connect/[\w-]{43}/", page.text))
    assert f"/{CONTOSO}/v2.0/adminconsent?" in page.text
    secret = link.split("/")[-2]
    tenant_page = staff.get("/tenants/contoso/").text
    for place in (everything_stored(), written_log(), tenant_page):
        assert secret not in place
    assert [row.actor for row in audited("make connect link")] == [f"Ada (#{ada.pk})"]
    assert "no-store" in page.headers["Cache-Control"]


def test_a_domain_is_resolved_without_any_credential(staff: WebClient, entra: Microsoft) -> None:
    entra.on_discovery = lambda asked: answer(discovery(str(CONTOSO)))
    page = staff.post("/tenants/connect/", {**FORM, "tenant": "contoso.com"})
    assert str(CONTOSO) in page.text
    assert not entra.token_calls
    assert all("authorization" not in asked.headers for asked in entra.server.asked)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"tenant": "contoso"}, "neither a tenant id nor a domain"),
        ({"tenant": "a1b2c3d4-0000-4000-8000-0000"}, "nearly a tenant id"),
        ({"tenant": "common"}, "stands for any tenant"),
        ({"tenant": ""}, "This field is required"),
        ({"customer": ""}, "This field is required"),
        ({"customer": "Cont\u202eoso"}, "invisible or control characters"),
        ({"customer": "x" * 201}, "at most 200 characters"),
        ({"form": "v3"}, "Select a valid choice"),
    ],
    ids=["no domain", "cut id", "common", "no tenant", "no name", "bidi", "long", "form"],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(
    staff: WebClient, entra: Microsoft, change: dict[str, str], sentence: str
) -> None:
    page = staff.post("/tenants/connect/", {**FORM, **change})
    assert (page.status_code, sentence in page.text) == (422, True)
    assert (count(), entra.server.asked) == (0, [])


@pytest.mark.parametrize(
    ("discovered", "sentence"),
    [
        (oauth_error(90002, "invalid_tenant"), "tenant"),
        (answer(b"<html>Service</html>", 200, Content_Type="text/html"), "Entra ID"),
        (answer(b'{"issuer": "https://lo'), "Entra ID"),
        (answer({}, 503), "Entra ID"),
        (answer({}, 429, Retry_After="7"), "Entra ID"),
    ],
    ids=["unknown", "html", "half", "down", "busy"],
)
def test_what_entra_refuses_is_told_at_the_field_and_nothing_is_lost(
    staff: WebClient, entra: Microsoft, discovered: Any, sentence: str
) -> None:
    entra.on_discovery = lambda asked: discovered
    page = staff.post("/tenants/connect/", FORM)
    [error] = re.findall(r'<ul class="errorlist"[^>]*><li>([^<]+)</li>', page.text)
    assert page.status_code == 422
    assert sentence in error
    assert error.strip().endswith(".")
    assert 'value="Contoso"' in page.text, "what was typed is still there"
    assert count() == 0


def test_a_tenant_of_another_customer_is_refused_c2(staff: WebClient, entra: Microsoft) -> None:
    staff.post("/tenants/connect/", FORM)
    before = count()
    page = staff.post("/tenants/connect/", {**FORM, "customer": "Fabrikam"})
    assert page.status_code == 422
    assert "already belongs to the customer Contoso" in page.text
    assert count() == before


def test_no_audit_means_no_tenant(staff: WebClient, entra: Microsoft, audit_fails: Callable[[], Any]) -> None:
    with audit_fails(), pytest.raises(DatabaseError):
        staff.post("/tenants/connect/", FORM)
    assert count() == 0


@pytest.mark.parametrize("action", ["check", "disconnect", "link"])
def test_no_audit_means_no_action(cast: Cast, staff: WebClient, audit_fails: Callable[[], Any], action: str) -> None:
    before = again(cast.contoso)
    with audit_fails(), pytest.raises(DatabaseError):
        staff.post(f"/tenants/contoso/{action}/")
    after = again(cast.contoso)
    assert (after.state, after.check_due_at) == (before.state, before.check_due_at)
    with scope.operations():
        assert not ConsentRequest.objects.exists()


def test_a_check_is_due_and_a_worker_finds_it(staff: WebClient, entra: Microsoft, ada: User) -> None:
    contoso = invited()
    response = staff.post("/tenants/contoso/check/", follow=True)
    assert "A worker is checking the connection" in response.text
    assert not entra.token_calls, "the web process never asks for a token"
    with as_worker():
        tasks.check_due()
    assert again(contoso).state == TenantState.CONNECTED
    [row] = audited("ask for a check")
    assert (row.actor, row.tenant, len(row.request_id)) == (f"Ada (#{ada.pk})", contoso.entra_id, 16)


def test_a_disconnected_tenant_cannot_be_checked(cast: Cast, staff: WebClient) -> None:
    staff.post("/tenants/contoso/disconnect/")
    page = staff.post("/tenants/contoso/check/", follow=True)
    assert "This tenant is disconnected" in page.text
    assert again(cast.contoso).check_due_at is None
    assert not audited("ask for a check")


def test_a_pass_can_be_made_due_only_where_incidents_are_read(cast: Cast, staff: WebClient) -> None:
    staff.post("/tenants/contoso/sync/")
    with scope.operations():
        due = SyncState.objects.get(tenant=cast.contoso).next_due_at
        assert due is not None
        assert due <= now()
        Tenant.objects.filter(pk=cast.fabrikam.pk).update(state=TenantState.CONSENT_LOST)
        SyncState.objects.filter(tenant=cast.fabrikam).update(next_due_at=None)
    assert "nothing to read yet" in staff.post("/tenants/fabrikam/sync/", follow=True).text
    with scope.operations():
        assert SyncState.objects.get(tenant=cast.fabrikam).next_due_at is None


def test_only_extra_roles_that_were_shown_are_accepted_c4(staff: WebClient, entra: Microsoft) -> None:
    contoso = invited()
    entra.on_token = lambda asked: entra.issue(str(contoso.entra_id), roles=[*ROLES, "Extra.One", "Extra.Two"])
    assert prove(contoso).state == TenantState.REVIEW
    page = staff.get("/tenants/contoso/").text
    assert re.findall(r'name="role" value="([^"]+)"', page) == ["Extra.One", "Extra.Two"]
    staff.post("/tenants/contoso/roles/", {"role": ["Extra.One", "Made.Up", "Incident.Read.All"]})
    assert again(contoso).accepted_roles == ["Extra.One"]
    with as_worker():
        tasks.check_due()
    assert again(contoso).state == TenantState.REVIEW
    staff.post("/tenants/contoso/roles/", {"role": ["Extra.Two"]})
    with as_worker():
        tasks.check_due()
    assert again(contoso).state == TenantState.CONNECTED
    assert [row.details["roles"] for row in audited("accept roles")] == ["Extra.One", "Extra.Two"]


def test_accepting_without_a_token_or_a_role_changes_nothing(cast: Cast, staff: WebClient) -> None:
    staff.post("/tenants/contoso/roles/", {"role": ["Extra.One"]})
    with scope.operations():
        assert not TokenFacts.objects.exists()
    assert again(cast.contoso).accepted_roles == []
    assert not audited("accept roles")


def test_disconnecting_stops_reading_and_keeps_what_was_read(cast: Cast, staff: WebClient, ada: User) -> None:
    staff.post("/tenants/contoso/disconnect/")
    tenant = again(cast.contoso)
    assert (tenant.state, tenant.check_due_at) == (TenantState.DISCONNECTED, None)
    with scope.operations():
        state = SyncState.objects.get(tenant=tenant)
    assert (state.next_due_at, state.last_ok_at is not None) == (None, True)
    [row] = audited("connection state")
    assert (row.actor, row.details["to"]) == (f"Ada (#{ada.pk})", "disconnected")
    assert AuditEvent.objects.filter(tenant=tenant.entra_id).count() == 1


@pytest.mark.parametrize("form", ["", "v1", "v2", "nonsense"])
def test_a_new_link_takes_the_chosen_form_or_chooses(cast: Cast, staff: WebClient, entra: Microsoft, form: str) -> None:
    page = staff.post("/tenants/contoso/link/", {"form": form})
    assert page.status_code == 200
    with scope.operations():
        assert ConsentRequest.objects.get().form == ("v1" if form == "v1" else "v2")


def test_actions_need_the_csrf_token(cast: Cast, ada: User) -> None:
    strict = WebClient(enforce_csrf_checks=True)
    strict.force_login(ada)
    for action in ("check", "sync", "roles", "link", "disconnect"):
        assert strict.post(f"/tenants/contoso/{action}/").status_code == 403
    assert strict.post("/tenants/connect/", FORM).status_code == 403
    assert again(cast.contoso).state == TenantState.CONNECTED
