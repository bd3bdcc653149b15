"""The client-credentials grant. Microsoft Learn: "OAuth 2.0 client credentials flow", "Access token claims reference",
"Microsoft Entra authentication and authorization error codes"; statuses and the payload's shape are recorded."""

import jwt
import pytest

from tests.sandbox.cloud import GRAPH, MDE, XDR, Cloud, Json

# Recorded payload of an app-only token of version 1.0, plus the roles that are granted.
CLAIMS = {
    *("aud", "iss", "iat", "nbf", "exp", "aio", "appid", "appidacr", "idp", "oid", "rh", "roles", "sub"),
    *("tenant_region_scope", "tid", "uti", "ver"),
}


def claims_of(token: str) -> Json:
    found: Json = jwt.decode(token, options={"verify_signature": False})
    return found


def test_version_2_answers_with_whole_numbers(cloud: Cloud) -> None:
    answer = cloud.ask_token("contoso")
    body = answer.json()
    assert body.keys() == {"token_type", "expires_in", "ext_expires_in", "access_token"}
    assert body["token_type"] == "Bearer"
    assert type(body["expires_in"]) is int and body["expires_in"] == body["ext_expires_in"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["x-ms-request-id"]


def test_version_1_answers_with_texts(cloud: Cloud) -> None:
    body = cloud.ask_token("contoso", version="v1").json()
    assert body.keys() == {
        "token_type",
        "expires_in",
        "ext_expires_in",
        "expires_on",
        "not_before",
        "resource",
        "access_token",
    }
    assert all(isinstance(value, str) for value in body.values())
    assert int(body["expires_on"]) - int(body["not_before"]) == int(body["expires_in"])
    assert body["resource"] == XDR


def test_a_token_lasts_between_sixty_and_ninety_minutes(cloud: Cloud) -> None:
    """Microsoft Learn: Access tokens, lifetime."""
    lives = {cloud.ask_token("contoso").json()["expires_in"] for _ in range(20)}
    assert len(lives) > 1 and min(lives) >= 3600 and max(lives) <= 5400


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_claims_are_those_of_a_version_1_application_token(cloud: Cloud, version: str) -> None:
    body = cloud.ask_token("contoso", version=version).json()
    claims, tenant = claims_of(body["access_token"]), cloud.id_of("contoso")
    assert claims.keys() == CLAIMS
    assert claims["iss"] == claims["idp"] == f"https://sts.windows.net/{tenant}/"
    assert (claims["tid"], claims["ver"], claims["appidacr"]) == (tenant, "1.0", "1")
    assert (claims["aud"], claims["appid"]) == (XDR, cloud.world.registration.client_id)
    assert claims["oid"] == claims["sub"] and claims["iat"] == claims["nbf"]
    assert claims["exp"] - claims["iat"] == int(body["expires_in"])
    assert claims["roles"] == ["Incident.Read.All", "Incident.ReadWrite.All"]


def test_the_signature_verifies_with_the_published_key(cloud: Cloud) -> None:
    token = cloud.token()
    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["typ"], header["kid"]) == ("RS256", "JWT", header["x5t"])
    [published] = cloud.call("GET", f"/{cloud.id_of('contoso')}/discovery/keys").json()["keys"]
    jwt.decode(token, jwt.PyJWK(published).key, algorithms=["RS256"], audience=XDR)


@pytest.mark.parametrize(
    ("resource", "roles"), [(MDE, ["Machine.Read.All"]), (GRAPH, None), (f"{XDR}/", None), (MDE + "/", None)]
)
def test_each_api_has_roles_of_its_own_and_none_means_no_claim(
    cloud: Cloud, resource: str, roles: list[str] | None
) -> None:
    body = cloud.ask_token("contoso", resource=resource).json()
    claims = claims_of(body["access_token"])
    assert resource in (GRAPH, MDE) or claims["roles"]
    assert resource != GRAPH or "roles" not in claims
    assert roles is None or claims["roles"] == roles


def test_the_secret_may_come_as_basic_authentication(cloud: Cloud) -> None:
    """Microsoft Learn: client credentials flow; the secret is URL-encoded first."""
    app = cloud.world.registration
    form = {"grant_type": "client_credentials", "scope": f"{XDR}/.default"}
    path = f"/{cloud.id_of('contoso')}/oauth2/v2.0/token"
    assert cloud.call("POST", path, data=form, auth=(app.client_id, "sandbox%2Dsecret")).status_code == 200


@pytest.mark.parametrize(
    ("fields", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000218),
        ({"client_id": "00000000-0000-0000-0000-000000000001"}, 400, "unauthorized_client", 700016),
        ({"client_id": ""}, 400, "invalid_request", 900144),
        ({"grant_type": ""}, 400, "invalid_request", 900144),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"scope": ""}, 400, "invalid_request", 900144),
        ({"scope": XDR}, 400, "invalid_scope", 70011),
        ({"scope": f"{XDR}/.default {MDE}/.default"}, 400, "invalid_scope", 70011),
        ({"scope": "https://nowhere.example/.default"}, 400, "invalid_resource", 500011),
    ],
)
def test_a_wrong_request_is_named(cloud: Cloud, fields: dict[str, str], status: int, error: str, code: int) -> None:
    """Microsoft Learn: error codes; status and label as recorded where a recording exists."""
    answer = cloud.ask_token("contoso", **fields)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert body["error_uri"].endswith(f"code={code}")


@pytest.mark.parametrize(
    ("state", "status", "error", "code"),
    [
        ("pending", 401, "invalid_client", 7000229),
        ("revoked", 401, "invalid_client", 7000229),
        ("disabled", 400, "unauthorized_client", 7000112),
        ("lapsed", 400, "invalid_resource", 500014),
        ("no_licence", 400, "invalid_resource", 500011),
    ],
)
def test_each_way_of_not_being_connected_is_named(cloud: Cloud, state: str, status: int, error: str, code: int) -> None:
    """Recorded for 7000229; the others are in the list of error codes."""
    cloud.world.set_state(cloud.world.tenant("contoso"), state)
    body = (answer := cloud.ask_token("contoso")).json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])


def test_an_expired_secret_is_told_from_a_wrong_one(cloud: Cloud) -> None:
    old = cloud.world.registration.secrets[0].value
    cloud.world.registration.rotate_secret()
    assert cloud.ask_token("contoso", client_secret=old).json()["error_codes"] == [7000222]
    assert cloud.ask_token("contoso").status_code == 200


def test_a_token_already_out_works_after_consent_is_gone(cloud: Cloud) -> None:
    token = cloud.token()
    cloud.world.revoke(cloud.world.tenant("contoso"))
    assert cloud.ask_token("contoso").status_code == 401
    assert cloud.call("GET", "/api/incidents", headers={"Authorization": f"Bearer {token}"}).status_code == 200
