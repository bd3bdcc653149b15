"""Entra ID: who gets a token in which tenant, and by which proof. Shapes are in `tests.contract`."""

import time
import uuid
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sandbox.keys import SigningKey, base64url
from sandbox.registration import Issuer
from tests.sandbox.visits.visitor import LOGIN, Visitor

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def test_the_application_is_another_object_in_each_tenant(visitor: Visitor) -> None:
    objects = {claims_of(visitor.token(name))["oid"] for name in ("contoso", "fabrikam", "northwindtraders")}
    assert len(objects) == 3


def test_keys_may_be_exchanged_without_breaking_tokens(visitor: Visitor) -> None:
    before = visitor.token()
    visitor.world.keys.rotate()
    after = visitor.ask().json()["access_token"]
    assert jwt.get_unverified_header(before)["kid"] != jwt.get_unverified_header(after)["kid"]
    for token in (before, after):
        assert visitor.get("/api/incidents", headers={"Authorization": f"Bearer {token}"}).status_code == 200


@pytest.mark.parametrize(
    ("name", "status", "error", "code"),
    [
        ("nobody.example", 400, "invalid_request", 90002),
        ("common", 400, "invalid_request", 9001023),
        ("Coho Vineyard", 401, "invalid_client", 7000229),
        ("Margie's Travel", 401, "invalid_client", 7000229),
        ("School of Fine Art", 400, "invalid_resource", 500011),
    ],
)
def test_each_tenant_without_a_token_says_why(cast: Visitor, name: str, status: int, error: str, code: int) -> None:
    answer = cast.ask(name)
    assert (answer.status_code, answer.json()["error"], answer.json()["error_codes"]) == (status, error, [code])


@pytest.mark.parametrize(("state", "code"), [("disabled", 7000112), ("lapsed", 500014)])
def test_a_disabled_app_and_a_lapsed_licence_are_told_apart(visitor: Visitor, state: str, code: int) -> None:
    visitor.world.set_state(visitor.world.tenant("contoso"), state)
    assert visitor.ask().json()["error_codes"] == [code]


def test_roles_are_absent_where_none_are_granted(cast: Visitor) -> None:
    assert "roles" not in claims_of(cast.token("Graphic Design Institute"))
    extra = claims_of(cast.token("Humongous Insurance"))["roles"]
    assert "AdvancedHunting.Read.All" in extra


def test_the_secret_expires_when_it_is_rotated(visitor: Visitor) -> None:
    old = visitor.world.registration.secrets[0].value
    visitor.world.registration.rotate_secret()
    assert visitor.ask(client_secret=old).json()["error_codes"] == [7000222]
    assert visitor.ask().status_code == 200


class Prover:
    """Makes client assertions with a key of its own."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor, self.client_id = visitor, visitor.world.registration.client_id
        self.key = SigningKey(rsa.generate_private_key(public_exponent=65537, key_size=2048))
        self.thumbprint = visitor.world.register_certificate(self.key.certificate)

    def assertion(self, *, algorithm: str = "PS256", thumbprint: str = "", **claims: Any) -> str:
        now = int(time.time())
        audience = f"{LOGIN}/{self.visitor.path_of('contoso')}/oauth2/v2.0/token"
        usual: dict[str, Any] = {
            "aud": audience,
            "iss": self.client_id,
            "sub": self.client_id,
            "jti": str(uuid.uuid4()),
        }
        usual |= {"nbf": now, "iat": now, "exp": now + 300}
        headers = {"x5t#S256": thumbprint or self.thumbprint}
        return jwt.encode(usual | claims, self.key.private, algorithm=algorithm, headers=headers)

    def asks(self, assertion: str) -> Any:
        form = {"client_secret": "", "client_assertion": assertion, "client_assertion_type": JWT_BEARER}
        return self.visitor.ask(**form)


@pytest.mark.parametrize("algorithm", ["PS256", "RS256"])
def test_a_registered_certificate_proves_the_application(visitor: Visitor, algorithm: str) -> None:
    prover = Prover(visitor)
    answer = prover.asks(prover.assertion(algorithm=algorithm))
    assert claims_of(answer.json()["access_token"])["appidacr"] == "2"


def test_each_wrong_assertion_is_refused(visitor: Visitor) -> None:
    prover, other = Prover(visitor), Prover(visitor)
    now = int(time.time())
    wrong = {
        "another audience": prover.assertion(aud=f"{LOGIN}/{visitor.path_of('fabrikam')}/oauth2/v2.0/token"),
        "another issuer": prover.assertion(iss=str(uuid.uuid4())),
        "another subject": prover.assertion(sub=str(uuid.uuid4())),
        "unknown key": prover.assertion(thumbprint=base64url(b"x" * 32)),
        "somebody else's thumbprint": prover.assertion(thumbprint=other.thumbprint),
        "not a token": "a.b.c",
    }
    for why, assertion in wrong.items():
        assert prover.asks(assertion).json()["error_codes"] == [700027], why
    assert prover.asks(prover.assertion(nbf=now - 4000, exp=now - 3000)).json()["error_codes"] == [700024]


def test_a_withdrawn_certificate_proves_nothing(visitor: Visitor) -> None:
    prover = Prover(visitor)
    visitor.world.registration.forget_certificate(prover.thumbprint)
    assert prover.asks(prover.assertion()).json()["error_codes"] == [700027]


def test_a_trusted_issuer_speaks_for_the_application(visitor: Visitor) -> None:
    prover = Prover(visitor)
    public = prover.key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    visitor.world.registration.issuers["https://issuer.example"] = Issuer("https://issuer.example", public, "worker")
    statement: dict[str, Any] = {"iss": "https://issuer.example", "aud": "api://AzureADTokenExchange"}
    good = prover.assertion(algorithm="RS256", sub="worker", **statement)
    bad = prover.assertion(algorithm="RS256", sub="somebody", **statement)
    assert prover.asks(good).status_code == 200
    assert prover.asks(bad).json()["error_codes"] == [700027]
