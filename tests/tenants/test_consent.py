"""Naming a tenant and making its link: every refusal is a sentence, and after a refusal nothing has changed."""

from collections.abc import Callable
from threading import Barrier
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest

from audit.models import AuditEvent
from audit.record import COMMAND_LINE
from defender.errors import BadInput, TenantUnknown, Transient
from tenants import consent, links, scope
from tenants.models import ConsentRequest, Customer, SyncState, Tenant, TenantState
from tests.databases import in_threads
from tests.defender.loopback import answer
from tests.defender.microsoft import CONTOSO, FABRIKAM, Microsoft, discovery, oauth_error
from tests.tenants.arranged import again, audited, invited, make_link, now, prove, request_of


def begin(name: str = "Contoso", entra_id: UUID = CONTOSO, domain: str = "", form: str = "") -> consent.Invitation:
    """Staff name a customer and a tenant."""
    with scope.operations():
        found = consent.Found(entra_id, domain)
        return consent.begin(customer_name=name, found=found, by=COMMAND_LINE, now=now(), form=form)


def counts() -> dict[str, int]:
    """How many rows there are of everything that naming makes."""
    with scope.operations():
        made = {model.__name__: model.objects.count() for model in (Customer, Tenant, SyncState, ConsentRequest)}
    return {**made, "audit": AuditEvent.objects.count()}


def secret_of(invitation: consent.Invitation) -> str:
    return urlsplit(invitation.link).path.split("/")[-2]


def test_naming_makes_customer_tenant_sync_state_link_and_audit_rows(db: None, entra: Microsoft) -> None:
    invitation = begin(domain="contoso.com")
    tenant = again(invitation.tenant)
    assert (tenant.name, tenant.slug, tenant.domain, tenant.state) == (
        "Contoso",
        "contoso",
        "contoso.com",
        TenantState.INVITED,
    )
    assert tenant.check_due_at, "somebody may have consented already"
    assert counts() == {"Customer": 1, "Tenant": 1, "SyncState": 1, "ConsentRequest": 1, "audit": 2}
    assert [row.action for row in AuditEvent.objects.order_by("id")] == ["name tenant", "make connect link"]


def test_the_link_is_ours_and_leads_on_to_that_tenants_page(db: None, entra: Microsoft) -> None:
    invitation = begin()
    secret = secret_of(invitation)
    assert invitation.link == f"http://localhost:8000/connect/{secret}/"
    address = urlsplit(invitation.microsoft_link)
    assert address.path == f"/{CONTOSO}/v2.0/adminconsent"
    assert parse_qs(address.query)["state"] == [links.state_of(secret)]
    assert parse_qs(address.query)["scope"] == ["https://api.security.microsoft.com/.default"]
    assert urlsplit(begin(form="v1").microsoft_link).path == f"/{CONTOSO}/adminconsent"


def test_f48_asking_for_two_apis_suggests_the_form_that_takes_both(db: None, entra: Microsoft, settings: Any) -> None:
    settings.ASKED_CAPABILITIES = ["sync_incidents", "devices"]
    invitation = begin()
    assert invitation.request.form == "v1"
    assert "scope" not in parse_qs(urlsplit(invitation.microsoft_link).query)


def test_the_secret_state_and_cookie_are_stored_as_hashes_only(db: None, entra: Microsoft) -> None:
    invitation = begin()
    secret = secret_of(invitation)
    assert len({secret, links.state_of(secret), links.cookie_of(secret)}) == 3
    stored = request_of(secret)
    assert stored.state_hash == links.digest(links.state_of(secret))
    values = [str(getattr(stored, field.attname)) for field in ConsentRequest._meta.concrete_fields]
    for canary in (secret, links.state_of(secret), links.cookie_of(secret)):
        assert canary not in values
    assert secret not in repr(stored)


def test_a_new_link_replaces_the_one_before(db: None, entra: Microsoft) -> None:
    first, second = begin(), begin()
    assert first.tenant == second.tenant
    assert request_of(secret_of(first)).withdrawn_at
    assert request_of(secret_of(second)).withdrawn_at is None


def test_a_tenant_of_another_customer_is_refused_and_nothing_is_written_c2(db: None, entra: Microsoft) -> None:
    begin("Contoso")
    before = counts()
    with pytest.raises(consent.Refused, match="already belongs to the customer Contoso"):
        begin("Fabrikam")
    assert counts() == before


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "Enter the customer's name."),
        (" \t ", "Enter the customer's name."),
        ("x" * 201, "longer than 200 characters"),
        ("Cont\u202eoso", "invisible or control characters"),
        ("Con\x00toso", "invisible or control characters"),
        ("Con\ud800toso", "invisible or control characters"),
    ],
    ids=["empty", "blank", "long", "bidi", "nul", "surrogate"],
)
def test_a_name_that_cannot_be_shown_is_refused(db: None, entra: Microsoft, name: str, sentence: str) -> None:
    with pytest.raises(consent.Refused, match=sentence):
        begin(name)
    assert set(counts().values()) == {0}


def test_a_customer_is_found_again_whatever_the_case_of_its_name(db: None, entra: Microsoft) -> None:
    begin("Contoso")
    assert begin("CONTOSO ").tenant.customer.name == "Contoso"
    second = begin("contoso", FABRIKAM, "contoso.fr").tenant
    assert (second.customer.name, second.name) == ("Contoso", "Contoso (contoso.fr)")
    assert counts()["Customer"] == 1


@pytest.mark.parametrize("name", ["connect", "東京", "Contoso!", "contoso"])
def test_every_tenant_gets_a_slug_of_its_own(db: None, entra: Microsoft, name: str) -> None:
    begin("Contoso", uuid4())
    tenant = begin(name + " ", uuid4()).tenant
    assert tenant.slug not in {"connect", "contoso", ""}
    assert tenant.get_absolute_url() == f"/tenants/{tenant.slug}/"


def test_a_disconnected_tenant_is_invited_again_by_a_new_link(db: None, entra: Microsoft) -> None:
    tenant = prove(invited())
    secret = make_link(tenant)
    with scope.operations():
        consent.disconnect(tenant=tenant, by=COMMAND_LINE, now=now())
    gone = again(tenant)
    assert (gone.state, gone.check_due_at, gone.state_detail) == (TenantState.DISCONNECTED, None, "")
    assert request_of(secret).withdrawn_at
    gone = prove(tenant)
    assert gone.state == TenantState.DISCONNECTED
    with scope.operations():
        consent.invite(tenant=gone, by=COMMAND_LINE, now=now())
    assert (again(tenant).state, again(tenant).checked_at) == (TenantState.INVITED, gone.checked_at)
    assert prove(tenant).state == TenantState.CONNECTED


@pytest.mark.parametrize(
    "text", ["", "contoso", "a1b2c3d4-0000-4000-8000", "https://contoso.com", "ada@contoso.com", "common", "1.2.3.4"]
)
def test_text_that_cannot_be_a_tenant_is_refused_before_anything_is_asked(entra: Microsoft, text: str) -> None:
    with pytest.raises(BadInput):
        consent.look_up(text)
    assert not entra.server.asked


@pytest.mark.django_db
def test_a_tenant_that_does_not_exist_is_told_so_aadsts90002(entra: Microsoft) -> None:
    entra.on_discovery = lambda asked: oauth_error(90002, "invalid_tenant")
    with pytest.raises(TenantUnknown) as refusal:
        consent.look_up(str(CONTOSO))
    assert refusal.value.code == "AADSTS90002"
    assert refusal.value.sentence


@pytest.mark.parametrize(("is_sandbox", "hint"), [(False, "Try again in a moment."), (True, "Is the sandbox running?")])
def test_who_waits_for_a_look_up_is_told_to_try_again_themselves(settings: Any, is_sandbox: bool, hint: str) -> None:
    settings.IS_SANDBOX = is_sandbox
    passing = Transient("The connection to Microsoft failed.", step="Nothing to do.", code="connection")
    assert consent.told(passing).startswith(f"The connection to Microsoft failed. {hint}")
    unknown = TenantUnknown("There is no such tenant.", step="Check the id.", code="AADSTS90002")
    assert consent.told(unknown) == "There is no such tenant. Check the id."


@pytest.mark.django_db
@pytest.mark.parametrize("broken", [answer(b"<html>", 200, Content_Type="text/html"), answer(b'{"issuer": "ht')])
def test_a_discovery_that_cannot_be_read_is_worth_another_try(entra: Microsoft, broken: Any) -> None:
    entra.on_discovery = lambda asked: broken
    with pytest.raises(Transient):
        consent.look_up(str(CONTOSO))


@pytest.mark.django_db
def test_a_domain_is_resolved_and_kept_in_its_plain_form(entra: Microsoft) -> None:
    entra.on_discovery = lambda asked: answer(discovery(str(CONTOSO)))
    assert consent.look_up("  Contoso.COM. ") == consent.Found(CONTOSO, "contoso.com")
    assert consent.look_up("münchen.example").domain == "xn--mnchen-3ya.example"
    assert consent.look_up(str(CONTOSO).upper()) == consent.Found(CONTOSO, "")


@pytest.mark.parametrize("same_customer", [True, False])
def test_naming_one_tenant_many_times_at_once_makes_it_once(
    committed: None, entra: Microsoft, same_customer: bool
) -> None:
    ready = Barrier(8)

    def name(number: int) -> str:
        ready.wait(20)
        try:
            return str(begin("Contoso" if same_customer else f"Customer {number}").tenant.pk)
        except consent.Refused:
            return "refused"

    answers = in_threads(name, 8, role="worker")
    assert len(set(answers) - {"refused"}) == 1
    assert answers.count("refused") == (0 if same_customer else 7)
    assert (counts()["Customer"], counts()["Tenant"]) == (1, 1)
    assert len(audited("name tenant")) == 1


def test_naming_two_tenants_of_one_new_customer_at_once_makes_one_customer(committed: None, entra: Microsoft) -> None:
    ready = Barrier(6)

    def name(_: int) -> str:
        ready.wait(20)
        return begin("Contoso", uuid4()).tenant.slug

    assert len(set(in_threads(name, 6, role="worker"))) == 6
    assert counts()["Customer"] == 1


def test_no_audit_means_no_link(db: None, entra: Microsoft, audit_fails: Callable[[], Any]) -> None:
    from django.db import DatabaseError

    with audit_fails(), pytest.raises(DatabaseError):
        begin()
    assert set(counts().values()) == {0}
