"""Microsoft's own library against the sandbox: production strings, only the transport maps the host."""

from typing import Any

import msal
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sandbox.keys import SigningKey
from tests.sandbox.visits.visitor import LOGIN, XDR, Visitor


class Mapped:
    """MSAL's http_client: the login host is answered by the sandbox, any other host by nobody."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor

    def get(self, url: str, **options: Any) -> requests.Response:
        return self.visitor.http.get(self._there(url), timeout=20, **options)

    def post(self, url: str, **options: Any) -> requests.Response:
        return self.visitor.http.post(self._there(url), timeout=20, **options)

    def close(self) -> None:
        """The visitor's session outlives MSAL."""

    def _there(self, url: str) -> str:
        assert url.startswith(f"{LOGIN}/"), url
        return url.replace(LOGIN, self.visitor.url, 1)


def application(visitor: Visitor, tenant: str, credential: Any = None) -> Any:
    return msal.ConfidentialClientApplication(
        visitor.world.registration.client_id,
        client_credential=credential or visitor.world.registration.secrets[0].value,
        authority=f"{LOGIN}/{visitor.path_of(tenant)}",
        instance_discovery=False,
        http_client=Mapped(visitor),
    )


def asked(app: Any) -> dict[str, Any]:
    found: dict[str, Any] = app.acquire_token_for_client([f"{XDR}/.default"])
    return found


def test_msal_gets_a_token_that_opens_the_api(visitor: Visitor) -> None:
    app = application(visitor, "contoso")
    token = asked(app)
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert visitor.get("/api/incidents", headers=headers).status_code == 200
    assert (token["token_source"], asked(app)["token_source"]) == ("identity_provider", "cache")


def test_msal_gets_a_token_with_a_certificate(visitor: Visitor) -> None:
    key = SigningKey(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    visitor.world.register_certificate(key.certificate)
    from cryptography.x509 import load_der_x509_certificate

    pem = load_der_x509_certificate(key.certificate).public_bytes(Encoding.PEM).decode()
    private = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    credential = {"private_key": private, "public_certificate": pem}
    assert "access_token" in asked(application(visitor, "contoso", credential))


@pytest.mark.parametrize(
    ("name", "code"), [("Coho Vineyard", 7000229), ("School of Fine Art", 500011), ("Margie's Travel", 7000229)]
)
def test_msal_reports_a_refusal_as_an_error_with_its_code(cast: Visitor, name: str, code: int) -> None:
    assert asked(application(cast, name))["error_codes"] == [code]


def test_msal_finds_no_tenant_that_is_not_there(visitor: Visitor) -> None:
    with pytest.raises(ValueError, match="authority configuration"):
        asked(application(visitor, "nobody.example"))


def test_msal_waits_when_it_is_throttled(visitor: Visitor) -> None:
    visitor.world.faults.add(None, {"kind": "throttle", "on": ["token"], "seconds": 30})
    app = application(visitor, "contoso")
    asked(app)
    before = visitor.world.calls.last
    asked(app)
    assert visitor.world.calls.last == before
