"""Tokens: one request for many askers, nothing remembered that should not be, nothing mixed up between tenants."""

import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest

from defender.auth import Federated, TokenSource, load_credential
from defender.clouds import GRAPH, MDE, XDR
from defender.errors import (
    ConsentMissing,
    CredentialFault,
    DefenderError,
    ResourceMissing,
    TenantUnknown,
    Throttled,
    Transient,
    WrongToken,
)
from defender.transport import Transport
from tests.defender.certificates import self_signed
from tests.defender.loopback import Answer, Asked, answer, serving
from tests.defender.microsoft import (
    CONTOSO,
    FABRIKAM,
    LOGIN,
    PARTNER_APP,
    SECRET,
    Microsoft,
    discovery,
    make_token,
    oauth_error,
    token_source,
)

# -- one token for all who ask -----------------------------------------------------------------------------------------


def test_a_token_is_fetched_once_and_then_remembered(ms: Microsoft, transport: Transport) -> None:
    tokens = token_source(ms, transport)
    first = tokens.token(CONTOSO)
    assert tokens.token(CONTOSO) is first
    assert len(ms.token_calls) == 1
    form = ms.token_calls[0].form
    assert form["grant_type"] == "client_credentials"
    assert form["scope"] == "https://api.security.microsoft.com/.default"
    assert form["client_secret"] == SECRET
    assert first.facts.tenant_id == CONTOSO


def test_many_threads_cause_one_request(ms: Microsoft, transport: Transport) -> None:
    tokens = token_source(ms, transport)
    start = threading.Barrier(32)

    def ask(_: int) -> str:
        start.wait(10)
        return tokens.token(CONTOSO).value

    with ThreadPoolExecutor(32) as pool:
        assert len(set(pool.map(ask, range(32)))) == 1
    assert len(ms.token_calls) == 1
    assert len(ms.asked_for("openid-configuration")) == 1


def test_many_threads_whose_token_was_refused_cause_one_more_request(ms: Microsoft, transport: Transport) -> None:
    tokens = token_source(ms, transport)
    refused = tokens.token(CONTOSO)
    start = threading.Barrier(16)

    def ask(_: int) -> str:
        start.wait(10)
        return tokens.token(CONTOSO, fresh=True, instead_of=refused).value

    with ThreadPoolExecutor(16) as pool:
        values = set(pool.map(ask, range(16)))
    assert len(values) == 1
    assert refused.value not in values
    assert len(ms.token_calls) == 2


def test_one_slow_tenant_does_not_hold_up_another(ms: Microsoft, transport: Transport) -> None:
    release = threading.Event()

    def bend(asked: Asked) -> Answer | None:
        if str(CONTOSO) in asked.path:
            release.wait(10)
        return None

    ms.on_token = bend
    tokens = token_source(ms, transport)
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(tokens.token, CONTOSO)
        assert pool.submit(tokens.token, FABRIKAM).result(5).facts.tenant_id == FABRIKAM
        assert not slow.done()
        release.set()
        assert slow.result(5).facts.tenant_id == CONTOSO


def test_each_api_has_its_own_token_from_one_application(ms: Microsoft, transport: Transport) -> None:
    def bend(asked: Asked) -> Answer:
        return ms.issue(str(CONTOSO), aud=asked.form["scope"].removesuffix("/.default"))

    ms.on_token = bend
    tokens = token_source(ms, transport)
    values = {tokens.token(CONTOSO, resource).value for resource in (XDR, MDE, GRAPH, XDR)}
    assert len(values) == 3
    assert len(ms.asked_for("openid-configuration")) == 1


def test_f43_f17_a_token_is_renewed_some_minutes_before_it_ends(ms: Microsoft, transport: Transport) -> None:
    now = [1000.0]
    tokens = TokenSource(ms.cloud, PARTNER_APP, load_credential(secret=SECRET), transport, clock=lambda: now[0])
    ms.on_token = lambda asked: answer({"token_type": "Bearer", "expires_in": "280", "access_token": make_token()})
    tokens.token(CONTOSO)
    now[0] += 100
    tokens.token(CONTOSO)
    assert len(ms.token_calls) == 1
    now[0] += 60
    tokens.token(CONTOSO)
    assert len(ms.token_calls) == 2


def test_only_so_many_tenants_are_kept(ms: Microsoft, transport: Transport) -> None:
    tokens = TokenSource(ms.cloud, PARTNER_APP, load_credential(secret=SECRET), transport, kept=2)
    for number in (1, 2, 3, 3, 2, 1):
        tokens.token(UUID(int=number << 64 | 0x8000000000000000))
    assert len(ms.token_calls) == 4


def test_a_warm_token_costs_microseconds(ms: Microsoft, transport: Transport) -> None:
    tokens = token_source(ms, transport)
    tokens.token(CONTOSO)
    best = min(_seconds(lambda: tokens.token(CONTOSO)) for _ in range(200))
    assert best < 0.000_1


def _seconds(call: Any) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


# -- K6: tokens of somebody else ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "claims",
    [
        {"tid": str(FABRIKAM)},
        {"appid": str(FABRIKAM)},
        {"aud": "https://graph.microsoft.com/"},
        {"aud": "FC780465-2017-40d4-a0c5-307022471b92"},
    ],
)
def test_k6_a_token_of_another_tenant_app_or_api_is_never_used(
    ms: Microsoft, transport: Transport, claims: dict[str, str]
) -> None:
    ms.on_token = lambda asked: ms.issue(**{"tenant": str(CONTOSO), **claims}) if "tid" not in claims else _other(ms)
    tokens = token_source(ms, transport)
    for _ in range(2):
        with pytest.raises(WrongToken):
            tokens.token(CONTOSO)
    ms.on_token = lambda asked: None
    assert tokens.token(CONTOSO).facts.tenant_id == CONTOSO


def _other(ms: Microsoft) -> Answer:
    return ms.issue(str(FABRIKAM))


def test_a_token_that_cannot_be_read_is_used_and_says_so(ms: Microsoft, transport: Transport) -> None:
    ms.on_token = lambda asked: answer({"token_type": "Bearer", "expires_in": 3600, "access_token": "opaque-42"})
    token = token_source(ms, transport).token(CONTOSO)
    assert token.value == "opaque-42"
    assert not token.facts.readable


# -- habits of MSAL that must not reach us -----------------------------------------------------------------------------


def test_a_consent_given_after_a_refusal_is_seen_at_once(ms: Microsoft, transport: Transport) -> None:
    ms.on_token = lambda asked: oauth_error(700016, "unauthorized_client")
    tokens = token_source(ms, transport)
    with pytest.raises(ConsentMissing) as caught:
        tokens.token(CONTOSO)
    assert caught.value.code == "AADSTS700016"
    assert caught.value.reference == "11111111-2222-4333-8444-555555555555"
    ms.on_token = lambda asked: None
    assert tokens.token(CONTOSO).facts.roles


def test_fresh_asks_anew_although_a_token_is_held(ms: Microsoft, transport: Transport) -> None:
    tokens = token_source(ms, transport)
    first = tokens.token(CONTOSO)
    assert tokens.token(CONTOSO, fresh=True).value != first.value
    assert len(ms.asked_for("openid-configuration")) == 2


def test_a_fault_of_the_token_endpoint_is_not_remembered(ms: Microsoft, transport: Transport) -> None:
    ms.on_token = lambda asked: answer({"error": "temporarily_unavailable"}, 503)
    tokens = token_source(ms, transport)
    with pytest.raises(Transient) as caught:
        tokens.token(CONTOSO)
    assert caught.value.code == "http-503"
    ms.on_token = lambda asked: None
    tokens.token(CONTOSO)


def test_after_a_429_nothing_is_sent_until_the_time_is_over(ms: Microsoft, transport: Transport) -> None:
    now = [1000.0]
    tokens = TokenSource(ms.cloud, PARTNER_APP, load_credential(secret=SECRET), transport, clock=lambda: now[0])
    ms.on_token = lambda asked: answer({"error": "slow_down"}, 429, Retry_After="7")
    for expected in (7.0, 7.0):
        with pytest.raises(Throttled) as caught:
            tokens.token(CONTOSO)
        assert caught.value.retry_after == expected
    assert len(ms.token_calls) == 1
    now[0] += 7.1
    ms.on_token = lambda asked: None
    tokens.token(CONTOSO)


@pytest.mark.parametrize(
    ("number", "error", "status", "expected"),
    [
        (700016, "unauthorized_client", 400, ConsentMissing),
        (7000229, "invalid_client", 401, ConsentMissing),
        (7000112, "unauthorized_client", 401, ConsentMissing),
        (7000215, "invalid_client", 401, CredentialFault),
        (7000222, "invalid_client", 401, CredentialFault),
        (700027, "invalid_client", 401, CredentialFault),
        (500011, "invalid_resource", 400, ResourceMissing),
        (90002, "invalid_request", 400, TenantUnknown),
        (999999, "invalid_client", 401, CredentialFault),
    ],
)
def test_the_matrix_of_refusals(
    ms: Microsoft, transport: Transport, number: int, error: str, status: int, expected: type[DefenderError]
) -> None:
    ms.on_token = lambda asked: oauth_error(number, error, status)
    with pytest.raises(expected) as caught:
        token_source(ms, transport).token(CONTOSO)
    assert caught.value.code == f"AADSTS{number}"


def test_sync_f23_a_tenant_that_is_gone_is_told_apart_at_discovery(ms: Microsoft, transport: Transport) -> None:
    ms.on_discovery = lambda asked: oauth_error(90002, "invalid_tenant")
    with pytest.raises(TenantUnknown) as caught:
        token_source(ms, transport).token(CONTOSO)
    assert caught.value.code == "AADSTS90002"
    assert ms.token_calls == []


@pytest.mark.parametrize(
    "odd",
    [
        Answer(200, b"<html>hotel</html>", {"Content-Type": "text/html"}),
        Answer(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"}),
        answer(b""),
        answer(b"null"),
        answer(b"[]"),
        answer(b"{}"),
        answer(b'{"access_token": 7, "expires_in": 3600}'),
        answer(b'{"access_token": "", "expires_in": 3600}'),
        answer(b'{"access_token": "a\\r\\nX-Evil: 1'),
        answer(b"[" * 100_000),
        answer(b" " * 300_000),
        Answer(raw=b""),
    ],
    ids=str,
)
def test_an_odd_answer_of_either_endpoint_is_transient(ms: Microsoft, transport: Transport, odd: Answer) -> None:
    tokens = token_source(ms, transport)
    ms.on_discovery = lambda asked: odd
    with pytest.raises(Transient):
        tokens.token(CONTOSO)
    ms.on_discovery, ms.on_token = (lambda asked: None), (lambda asked: odd)
    with pytest.raises(Transient):
        tokens.token(CONTOSO)
    ms.on_token = lambda asked: None
    tokens.token(CONTOSO)


@pytest.mark.parametrize("lifetime", ["3600", 3600.5, None, "soon", -5, 10**30, {"a": 1}])
def test_any_lifetime_makes_a_token_that_can_be_used(ms: Microsoft, transport: Transport, lifetime: object) -> None:
    body = {
        "token_type": "Bearer",
        "access_token": make_token(),
        "expires_in": lifetime,
        "client_info": "!",
        "id_token": "x",
    }
    ms.on_token = lambda asked: answer(body)
    assert token_source(ms, transport).token(CONTOSO).value == body["access_token"]


def test_m5_a_discovery_document_cannot_lead_the_secret_elsewhere(ms: Microsoft, transport: Transport) -> None:
    with serving() as trap:
        for endpoint in (f"{trap.url}/t/token", f"{LOGIN}@{trap.url[7:]}/t/token", "https://evil.invalid/t/token"):
            document = discovery(str(CONTOSO), token_endpoint=endpoint)
            ms.on_discovery = lambda asked, sent=document: answer(sent)  # type: ignore[misc]
            with pytest.raises(DefenderError):
                token_source(ms, transport).token(CONTOSO)
        assert trap.connections == 0
    assert ms.token_calls == []


def test_no_region_of_the_environment_is_used(
    ms: Microsoft, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSAL_FORCE_REGION", "westeurope")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        token_source(ms, transport).token(CONTOSO)
    assert {asked.path.split("/")[1] for asked in ms.server.asked} == {str(CONTOSO)}


# -- the other kinds of credential -------------------------------------------------------------------------------------


def test_a_certificate_signs_an_assertion_made_out_to_the_tenant(
    ms: Microsoft, transport: Transport, tmp_path: Path
) -> None:
    key, certificate = self_signed()
    (tmp_path / "app.pem").write_text(key + certificate)
    credential = load_credential(certificate=tmp_path / "app.pem")
    token_source(ms, transport, credential).token(CONTOSO)
    form = ms.token_calls[0].form
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert "client_secret" not in form
    header = jwt.get_unverified_header(form["client_assertion"])
    claims = jwt.decode(form["client_assertion"], options={"verify_signature": False})
    assert header["alg"] == "PS256"
    assert "x5t#S256" in header
    assert claims["aud"] == f"{LOGIN}/{CONTOSO}/oauth2/v2.0/token"
    assert claims["iss"] == claims["sub"] == str(PARTNER_APP)
    assert 0 < claims["exp"] - time.time() <= 600


def test_a_federated_token_file_is_read_for_each_request(ms: Microsoft, transport: Transport, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("aaa.bbb.first\n")
    tokens = token_source(ms, transport, load_credential(federated_token=path))
    tokens.token(CONTOSO)
    path.write_text("aaa.bbb.second\n")
    tokens.token(FABRIKAM)
    assert [call.form["client_assertion"] for call in ms.token_calls] == ["aaa.bbb.first", "aaa.bbb.second"]
    path.unlink()
    with pytest.raises(CredentialFault, match="cannot be read"):
        tokens.token(CONTOSO, fresh=True)


def test_an_assertion_may_come_from_a_function(ms: Microsoft, transport: Transport) -> None:
    token_source(ms, transport, Federated(lambda: "x.y.z")).token(CONTOSO)
    assert ms.token_calls[0].form["client_assertion"] == "x.y.z"
