"""The proof: a fresh token, its roles, one live read. Each state is reached by its cause and by nothing else."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as portal
from django.utils import timezone

from audit.record import COMMAND_LINE, WORKER
from defender.errors import ConsentMissing, Forbidden
from tenants import consent, proof, scope, tasks
from tenants.models import Alarm, Breaker, ConsentRequest, SyncState, Tenant, TenantState, TokenFacts
from tests.conftest import as_worker
from tests.defender.loopback import Answer, Asked, answer
from tests.defender.microsoft import PARTNER_APP, ROLES, Microsoft, oauth_error
from tests.tenants.arranged import again, audited, everything_stored, invited, make_link, now, prove

READ = "Incident.Read.All"
EXCESS = "AdvancedHunting.Read.All"
API_HTML = answer(b"<html>Service unavailable</html>", 200, Content_Type="text/html")
HALF_JSON = answer(b'{"value": [{"incidentId": 1')


@pytest.fixture
def contoso(db: None, entra: Microsoft) -> Tenant:
    return invited("Contoso")


def grants(entra: Microsoft, contoso: Tenant, *roles: str, **claims: Any) -> None:
    """From now on tokens of the tenant carry these roles."""
    entra.on_token = lambda asked: entra.issue(str(contoso.entra_id), roles=list(roles), **claims)


def refuses(code: int, error: str, status: int = 400) -> Callable[[Asked], Answer | None]:
    """The token endpoint answers with an error."""
    return lambda asked: oauth_error(code, error, status)


def sync_of(tenant: Tenant) -> SyncState:
    with scope.operations():
        return SyncState.objects.get(tenant=tenant)


def test_a_token_with_the_role_and_a_live_read_connect(contoso: Tenant) -> None:
    at = now()
    connected = prove(contoso, at=at)
    assert connected.state == TenantState.CONNECTED
    assert (connected.connected_at, connected.state_since, connected.checked_at) == (at, at, at)
    assert connected.check_due_at == at + portal.CONSENT_CHECK
    due = sync_of(contoso).next_due_at
    assert due is not None and at <= due <= now(), "the first pass is due at once"
    [row] = audited("connection state")
    assert (row.actor, row.tenant, row.details) == (
        "worker",
        contoso.entra_id,
        {"from": "invited", "to": "connected", "code": ""},
    )


def test_a_proof_that_finds_nothing_new_leaves_no_second_audit_row(contoso: Tenant) -> None:
    first = prove(contoso)
    second = prove(contoso, at=now() + timedelta(hours=1))
    assert (second.state, second.state_since) == (TenantState.CONNECTED, first.state_since)
    assert len(audited("connection state")) == 1


@pytest.mark.parametrize(
    ("code", "error", "word"),
    [
        (700016, "unauthorized_client", "AADSTS700016"),
        (7000229, "invalid_client", "AADSTS7000229"),
        (7000112, "unauthorized_client", "AADSTS7000112"),
        (65001, "invalid_grant", "AADSTS65001"),
        (500011, "invalid_resource", "AADSTS500011"),
        (90002, "invalid_request", "AADSTS90002"),
    ],
)
def test_f46_f50_a_missing_consent_leaves_a_new_tenant_invited_with_its_reason(
    contoso: Tenant, entra: Microsoft, code: int, error: str, word: str
) -> None:
    entra.on_token = refuses(code, error)
    tenant = prove(contoso)
    assert (tenant.state, tenant.state_code) == (TenantState.INVITED, word)
    assert tenant.state_detail.endswith((".", "!"))
    assert "AADSTS" not in tenant.state_detail
    assert "<b>" not in tenant.state_detail
    assert tenant.state_reference == "11111111-2222-4333-8444-555555555555"
    assert sync_of(contoso).next_due_at is None


def test_f44_f51_a_token_without_roles_names_the_missing_one(contoso: Tenant, entra: Microsoft) -> None:
    grants(entra, contoso)
    tenant = prove(contoso)
    assert tenant.state == TenantState.WAITING
    assert READ in tenant.state_detail
    assert not entra.asked_for("/api/incidents"), "nothing is read without the role"
    assert sync_of(contoso).next_due_at is None
    grants(entra, contoso, READ)
    assert prove(contoso).state == TenantState.CONNECTED, "each check fetches a new token"
    assert len(entra.tokens_issued) == 2


def test_a_capability_without_its_role_is_off_and_said_so_f47(contoso: Tenant, entra: Microsoft) -> None:
    grants(entra, contoso, READ)
    tenant = prove(contoso)
    assert tenant.state == TenantState.CONNECTED
    assert "Incident.ReadWrite.All is missing" in tenant.state_detail


def test_roles_beyond_those_asked_for_are_reviewed_before_anything_is_read_c4_c5(
    contoso: Tenant, entra: Microsoft
) -> None:
    grants(entra, contoso, *ROLES, EXCESS)
    tenant = prove(contoso)
    assert tenant.state == TenantState.REVIEW
    assert EXCESS in tenant.state_detail
    assert not entra.asked_for("/api/incidents")
    assert sync_of(contoso).next_due_at is None
    with scope.operations():
        consent.accept_roles(tenant=tenant, roles=[EXCESS], by=COMMAND_LINE, now=now())
    assert prove(contoso).state == TenantState.CONNECTED
    grants(entra, contoso, *ROLES, EXCESS, "Another.Role.All")
    tenant = prove(contoso)
    assert (tenant.state, "Another.Role.All" in tenant.state_detail) == (TenantState.REVIEW, True)
    assert EXCESS not in tenant.state_detail, "what was accepted is not asked about again"


def test_a_token_of_another_tenant_never_connects_k6(contoso: Tenant, entra: Microsoft) -> None:
    entra.on_token = lambda asked: entra.issue("ffffffff-0000-4000-8000-000000000001")
    tenant = prove(contoso)
    assert (tenant.state, tenant.state_code) == (TenantState.INVITED, "wrong-token")
    assert not entra.asked_for("/api/incidents")
    with scope.operations():
        assert not TokenFacts.objects.exists()
    (alarm,) = Alarm.objects.filter(cleared_at=None)
    assert alarm.sentence.startswith("Contoso: "), "the banner is on every page, so it says whose token it is about"


def test_a_token_of_another_app_stops_a_connected_tenant_until_it_is_right_again_k6(
    contoso: Tenant, entra: Microsoft
) -> None:
    prove(contoso)
    grants(entra, contoso, *ROLES, appid="ffffffff-0000-4000-8000-000000000001")
    tenant = prove(contoso)
    assert (tenant.state, tenant.state_code) == (TenantState.DEGRADED, "wrong-token")
    grants(entra, contoso, *ROLES)
    assert prove(contoso).state == TenantState.CONNECTED
    assert not Alarm.objects.filter(cleared_at=None).exists()


def test_a_token_that_cannot_be_read_lets_the_live_read_decide(contoso: Tenant, entra: Microsoft) -> None:
    opaque = answer({"token_type": "Bearer", "expires_in": 3900, "access_token": "opaque"})
    entra.on_token = lambda asked: opaque
    entra.on_api = lambda asked: answer({"error": {"code": "Forbidden", "message": "no"}}, 403)
    assert prove(contoso).state == TenantState.WAITING
    entra.on_api = lambda asked: None
    tenant = prove(contoso)
    assert (tenant.state, "Roles unknown" in tenant.state_detail) == (TenantState.CONNECTED, True)


@pytest.mark.parametrize(
    ("code", "word"), [(7000215, "AADSTS7000215"), (7000222, "AADSTS7000222"), (700027, "AADSTS700027")]
)
def test_a_fault_of_our_own_credential_raises_one_alarm_and_moves_no_tenant(
    contoso: Tenant, entra: Microsoft, settings: Any, code: int, word: str
) -> None:
    settings.ALARM_EMAIL = "soc@example.com"
    fabrikam = invited("Fabrikam")
    prove(fabrikam)
    entra.on_token = refuses(code, "invalid_client", 401)
    assert prove(contoso).state == TenantState.INVITED
    tenant = prove(fabrikam)
    assert (tenant.state, tenant.state_code) == (TenantState.CONNECTED, word)
    assert sync_of(fabrikam).next_due_at is not None
    [alarm] = Alarm.objects.filter(cleared_at=None)
    assert alarm.step
    entra.on_token = lambda asked: None
    Breaker.objects.update(open_until=timezone.now())
    prove(contoso)
    alarm.refresh_from_db()
    assert alarm.cleared_at, "a proof shows that the credential works"
    prove(fabrikam)
    assert again(fabrikam).state_detail == ""


def test_an_expired_certificate_is_told_as_a_sentence(contoso: Tenant, settings: Any, tmp_path: Any) -> None:
    from tests.defender.certificates import self_signed

    key, certificate = self_signed(first=timedelta(days=-9), last=timedelta(days=-1))
    (tmp_path / "app.pem").write_text(key + certificate)
    settings.ENTRA_CREDENTIAL = {"ENTRA_CLIENT_CERTIFICATE": str(tmp_path / "app.pem")}
    tenant = prove(contoso)
    assert (tenant.state, tenant.state_code) == (TenantState.INVITED, "certificate-expired")
    assert "expired on" in tenant.state_detail
    assert Alarm.objects.get(cleared_at=None).sentence in tenant.state_detail


@pytest.mark.parametrize("broken", [API_HTML, HALF_JSON, answer({}, 500), answer({}, 429, Retry_After="30")])
def test_an_answer_that_cannot_be_read_changes_no_state(contoso: Tenant, entra: Microsoft, broken: Answer) -> None:
    entra.on_api = lambda asked: broken
    tenant = prove(contoso)
    assert (tenant.state, bool(tenant.state_detail)) == (TenantState.INVITED, True)
    entra.on_api = lambda asked: None
    prove(contoso)
    entra.on_api = lambda asked: broken
    tenant = prove(contoso, at=now() + timedelta(hours=1))
    assert (tenant.state, bool(tenant.state_detail)) == (TenantState.CONNECTED, True)
    assert sync_of(contoso).next_due_at, "nothing is lost: reading goes on"


def test_a_passing_fault_does_not_keep_a_new_tenant_waiting_for_the_usual_time(
    contoso: Tenant, entra: Microsoft
) -> None:
    entra.on_api = lambda asked: answer({}, 429, Retry_After="30")
    at = now()
    assert prove(contoso, at=at).check_due_at == at + proof.SOON
    entra.on_api = lambda asked: None
    assert prove(contoso, at=at).check_due_at == at + portal.CONSENT_CHECK
    entra.on_api = lambda asked: answer({}, 500)
    assert prove(contoso, at=at).check_due_at == at + portal.CONSENT_CHECK, "a connected tenant is read all the time"


def test_sync_f22_a_refused_read_degrades_and_never_starts_reading(contoso: Tenant, entra: Microsoft) -> None:
    refused = answer({"error": {"code": "Forbidden", "message": "no"}}, 403)
    entra.on_api = lambda asked: refused
    assert prove(contoso).state == TenantState.WAITING
    entra.on_api = lambda asked: None
    prove(contoso)
    entra.on_api = lambda asked: refused
    tenant = prove(contoso)
    assert (tenant.state, sync_of(contoso).next_due_at is not None) == (TenantState.DEGRADED, True)
    entra.on_token = refuses(7000229, "invalid_client", 401)
    assert prove(contoso).state == TenantState.CONSENT_LOST
    entra.on_token = lambda asked: None
    tenant = prove(contoso)
    assert (tenant.state, sync_of(contoso).next_due_at) == (TenantState.WAITING, None)


def test_sync_f21_consent_taken_back_stops_reading_and_given_again_starts_it(contoso: Tenant, entra: Microsoft) -> None:
    connected_at = prove(contoso).connected_at
    entra.on_token = refuses(7000229, "invalid_client", 401)
    lost = prove(contoso)
    assert (lost.state, lost.connected_at) == (TenantState.CONSENT_LOST, connected_at)
    assert sync_of(contoso).next_due_at is None
    assert sync_of(contoso).last_ok_at is None
    entra.on_token = lambda asked: None
    assert prove(contoso).state == TenantState.CONNECTED
    assert sync_of(contoso).next_due_at is not None
    steps = [(row.details["from"], row.details["to"]) for row in audited("connection state")]
    assert steps == [("invited", "connected"), ("connected", "consent_lost"), ("consent_lost", "connected")]


@pytest.mark.parametrize("state", [TenantState.INVITED, TenantState.WAITING, TenantState.CONSENT_LOST])
def test_f44_f45_right_after_a_consent_checks_come_quickly_and_then_slow_down(
    contoso: Tenant, entra: Microsoft, state: TenantState
) -> None:
    with scope.operations():
        Tenant.objects.filter(pk=contoso.pk).update(state=state, connected_at=now(), state_since=now())
    at = now()
    make_link(contoso, spent_at=at, outcome="done")
    grants(entra, contoso)
    if state != TenantState.WAITING:
        entra.on_token = refuses(700016, "unauthorized_client")
    assert prove(contoso, at=at).check_due_at == at + proof.EAGER
    later = at + proof.EAGER_FOR + timedelta(seconds=1)
    assert prove(contoso, at=later).check_due_at == later + portal.CONSENT_CHECK


def test_a_tenant_disconnected_during_a_proof_stays_disconnected(contoso: Tenant, entra: Microsoft) -> None:
    for verdict in ("connected", "no change"):
        before = again(contoso)

        def disconnect_meanwhile(asked: Asked, broken: bool = verdict == "no change") -> Answer | None:
            with scope.operations():
                consent.disconnect(tenant=again(contoso), by=COMMAND_LINE, now=now())
            return API_HTML if broken else None

        proof_of(before, disconnect_meanwhile)
        tenant = again(contoso)
        assert tenant.state == TenantState.DISCONNECTED
        assert (tenant.check_due_at, sync_of(contoso).next_due_at, tenant.state_detail) == (None, None, "")
        with scope.operations():
            consent.invite(tenant=tenant, by=COMMAND_LINE, now=now())


def proof_of(tenant: Tenant, meanwhile: Callable[[Asked], Answer | None]) -> None:
    """A proof during which something else happens, on this connection: between what is asked and what is written."""
    asked_microsoft = proof.find_out

    def and_meanwhile(found: Tenant) -> proof.Verdict:
        verdict = asked_microsoft(found)
        broken = meanwhile(Asked("GET", "/", {}, b""))
        return proof.Verdict(None, "not-json", "The answer was not JSON.") if broken else verdict

    with pytest.MonkeyPatch.context() as patch, as_worker():
        patch.setattr(proof, "find_out", and_meanwhile)
        proof.prove(tenant=tenant, by=WORKER, now=now())


def test_a_check_asked_for_during_a_proof_is_not_forgotten(contoso: Tenant) -> None:
    def ask_meanwhile(asked: Asked) -> None:
        with scope.operations():
            consent.ask_check(tenant=again(contoso), by=COMMAND_LINE, now=now())

    proof_of(again(contoso), ask_meanwhile)
    due = again(contoso).check_due_at
    assert due is not None
    assert due <= now()


def test_workers_never_check_a_disconnected_tenant(contoso: Tenant, entra: Microsoft) -> None:
    with scope.operations():
        Tenant.objects.filter(pk=contoso.pk).update(state=TenantState.DISCONNECTED, check_due_at=now())
    with as_worker():
        tasks.check_due()
    assert not entra.token_calls


def test_workers_check_what_is_due_and_nothing_else(contoso: Tenant, entra: Microsoft) -> None:
    fabrikam, northwind = invited("Fabrikam"), invited("Northwind")
    with scope.operations():
        Tenant.objects.filter(pk=contoso.pk).update(check_due_at=now())
        Tenant.objects.filter(pk=fabrikam.pk).update(check_due_at=now() + timedelta(minutes=1))
    with as_worker():
        tasks.check_due()
    states = [again(tenant).state for tenant in (contoso, fabrikam, northwind)]
    assert states == [TenantState.CONNECTED, TenantState.INVITED, TenantState.INVITED]


def test_a_fault_of_the_portal_in_one_check_leaves_the_others_alone(contoso: Tenant, entra: Microsoft) -> None:
    fabrikam = invited("Fabrikam")
    with scope.operations():
        Tenant.objects.update(check_due_at=now())
    asked_microsoft = proof.find_out

    def breaks_for_contoso(found: Tenant) -> proof.Verdict:
        if found.pk == contoso.pk:
            raise ZeroDivisionError
        return asked_microsoft(found)

    with pytest.MonkeyPatch.context() as patch, as_worker():
        patch.setattr(proof, "find_out", breaks_for_contoso)
        tasks.check_due()
    assert again(fabrikam).state == TenantState.CONNECTED
    due = again(contoso).check_due_at
    assert due is not None
    assert now() < due <= now() + tasks.CHECK_HOLD


def test_facts_of_the_token_are_kept_and_the_token_is_not_k4(
    contoso: Tenant, entra: Microsoft, written_log: Callable[[], str]
) -> None:
    prove(contoso)
    with scope.operations():
        facts = TokenFacts.objects.get(tenant=contoso, resource="xdr")
    assert (facts.readable, facts.roles, facts.app_id) == (True, sorted(ROLES), str(PARTNER_APP))
    assert facts.token_tenant == str(contoso.entra_id)
    assert facts.audience == "https://api.security.microsoft.com"
    assert facts.expires_at
    assert facts.expires_at > now()
    assert facts.proven_at
    stored, log = everything_stored(), written_log()
    [token] = entra.tokens_issued
    for part in (token, *token.split(".")[1:]):
        assert part not in stored
        assert part not in log


def test_what_a_sync_reports_becomes_a_state_with_a_reason(contoso: Tenant) -> None:
    prove(contoso)
    with as_worker(), scope.tenant(contoso.pk):
        error = Forbidden("The role was taken away.", code="http-403", step="Ask the customer.")
        consent.note_forbidden(tenant=again(contoso), error=error, now=now())
    tenant = again(contoso)
    assert (tenant.state, tenant.state_detail) == (
        TenantState.DEGRADED,
        "The role was taken away. Ask the customer.",
    )
    assert tenant.check_due_at
    assert tenant.check_due_at <= now(), "the proof decides at once"
    with as_worker(), scope.tenant(contoso.pk):
        gone = ConsentMissing("The app is not installed.", code="AADSTS7000229")
        consent.lose_consent(tenant=again(contoso), error=gone, now=now())
    assert again(contoso).state == TenantState.CONSENT_LOST
    assert sync_of(contoso).next_due_at is None


def test_what_a_late_sync_reports_moves_no_tenant_that_is_not_read(contoso: Tenant) -> None:
    error = Forbidden("The role was taken away.", code="http-403")
    gone = ConsentMissing("The app is not installed.", code="AADSTS7000229")
    with as_worker(), scope.tenant(contoso.pk):
        consent.note_forbidden(tenant=again(contoso), error=error, now=now())
        consent.lose_consent(tenant=again(contoso), error=gone, now=now())
    assert again(contoso).state == TenantState.INVITED
    assert sync_of(contoso).next_due_at is None
    with scope.operations():
        assert not ConsentRequest.objects.exists()
