"""The two halves of a sign-in below the portal: where they send people, what they keep, what they make of trouble."""

import gc
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
import requests
from cryptography.x509 import load_der_x509_certificate

from defender.clouds import StandIn, find_cloud
from defender.credentials import Certificate, ClientSecret
from defender.errors import CredentialFault, DefenderError, Rejected, WrongToken
from defender.sign_in import SignInApp, issuer_of
from defender.signing_keys import SigningKeys
from defender.transport import Transport
from sandbox import home
from sandbox.keys import new_key
from sandbox.server import Running, running
from sandbox.world import World
from tests.defender.loopback import answer, serving
from tests.defender.microsoft import discovery

CALLBACK = "http://localhost:8000/sign-in/callback/"
TENANT = UUID(home.TENANT_ID)


def app_at(url: str, **changed: Any) -> SignInApp:
    """The sign-in app, with the stand-in at this address."""
    cloud = find_cloud("sandbox", StandIn(login=url, xdr=url, mde=url, graph=url))
    transport = Transport(cloud)
    keys = SigningKeys(transport, tenant_id=TENANT, issuer=issuer_of(cloud, TENANT))
    app = SignInApp(cloud, TENANT, UUID(home.CLIENT_ID), ClientSecret(home.CLIENT_SECRET), transport, keys)
    return replace(app, **changed)


@pytest.fixture
def sandbox() -> Iterator[Running]:
    with running(World(7, tenants=1, incidents=(1, 2))) as world:
        yield world


def came_back(address: str, user: str = "alice") -> dict[str, str]:
    """The query with which somebody returns."""
    with requests.Session() as browser:
        browser.trust_env = False
        back = browser.post(address, data={"user": user}, allow_redirects=False, timeout=20)
    return {name: values[0] for name, values in parse_qs(urlsplit(back.headers["Location"]).query).items()}


def test_whoever_comes_back_is_named_and_no_token_is_kept(sandbox: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    app = app_at(sandbox.url)
    monkeypatch.setattr("sandbox.sign_in.CodeGrant.redeem", _spying(seen))
    address, flow = app.begin(redirect_uri=CALLBACK, fresh=False)
    alice = app.finish(flow, came_back(address), now=time.time())
    assert (alice.name, alice.tenant_id, alice.roles) == ("Alice", TENANT, frozenset({"Portal.Access"}))
    [sent] = seen
    gc.collect()
    kept = [held for held in gc.get_objects() if type(held) is dict and sent["access_token"] in _texts(held)]
    assert [held for held in kept if held is not sent] == []


def _texts(held: dict[Any, Any]) -> list[str]:
    return [value for value in list(held.values()) if type(value) is str]


def _spying(seen: list[dict[str, Any]]) -> Any:
    from sandbox.sign_in import CodeGrant

    redeem = CodeGrant.redeem

    def spy(self: CodeGrant, *args: Any, **named: Any) -> dict[str, Any]:
        given = redeem(self, *args, **named)
        seen.append(dict(given))
        return given

    return spy


def test_a_certificate_proves_the_app_too(sandbox: Running) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = new_key()
    sandbox.world.home.registration.register_certificate(key.certificate)
    pem = load_der_x509_certificate(key.certificate).public_bytes(Encoding.PEM).decode()
    private = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    app = app_at(sandbox.url, credential=Certificate(private, pem))
    address, flow = app.begin(redirect_uri=CALLBACK, fresh=True)
    assert app.finish(flow, came_back(address, "bob"), now=time.time()).name == "Bob"


def test_a_wrong_secret_is_the_portals_own_fault(sandbox: Running) -> None:
    app = app_at(sandbox.url, credential=ClientSecret("canary-secret"))
    address, flow = app.begin(redirect_uri=CALLBACK, fresh=False)
    with pytest.raises(CredentialFault) as fault:
        app.finish(flow, came_back(address), now=time.time())
    assert "canary" not in repr(fault.value) + str(fault.value.__dict__)


def test_a_redemption_without_the_verifier_that_was_begun_with_fails(sandbox: Running) -> None:
    app = app_at(sandbox.url)
    address, flow = app.begin(redirect_uri=CALLBACK, fresh=False)
    with pytest.raises(Rejected, match="501481"):
        app.finish(flow | {"code_verifier": "w" * 43}, came_back(address), now=time.time())


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"state": "other"}, "id-token-state"),
        ({"state": ""}, "id-token-state"),
        ({"iss": "https://evil.example"}, "id-token-mix-up"),
        ({"code": ""}, "id-token-code"),
        ({"code": "x" * 20_000}, "id-token-answer"),
    ],
)
def test_a_bent_answer_is_thrown_away_before_anybody_is_asked(
    sandbox: Running, changed: dict[str, str], code: str
) -> None:
    app = app_at(sandbox.url)
    address, flow = app.begin(redirect_uri=CALLBACK, fresh=False)
    query = came_back(address) | changed
    before = sandbox.world.calls.last
    with pytest.raises(WrongToken) as refused:
        app.finish(flow, query, now=time.time())
    assert (refused.value.code, sandbox.world.calls.last) == (code, before)


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://login.microsoftonline.com/common/oauth2/v2.0/authorize",
        "https://login.microsoftonline.com/11111111-2222-4333-8444-555555555555/oauth2/v2.0/authorize",
        "https://evil.example/5a11db0c-0000-4000-8000-000000000401/oauth2/v2.0/authorize",
    ],
)
def test_a_discovery_document_cannot_send_people_elsewhere(endpoint: str) -> None:
    document = discovery(home.TENANT_ID, authorization_endpoint=endpoint)
    with serving(lambda asked: answer(document)) as server, pytest.raises(DefenderError) as refused:
        app_at(server.url).begin(redirect_uri=CALLBACK, fresh=False)
    assert refused.value.code in {"discovery-shape", "entra-shape"}
