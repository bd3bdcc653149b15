"""OpenID discovery and keys. Microsoft Learn: "OpenID Connect on the Microsoft identity platform"; fields recorded."""

import re
from urllib.parse import urlsplit

import pytest

from tests.sandbox.cloud import Cloud

LOGIN = "https://login.microsoftonline.com"
RECORDED = {
    *("token_endpoint", "token_endpoint_auth_methods_supported", "jwks_uri", "response_modes_supported"),
    *("subject_types_supported", "id_token_signing_alg_values_supported", "response_types_supported"),
    *("scopes_supported", "issuer", "request_uri_parameter_supported", "userinfo_endpoint"),
    *("authorization_endpoint", "device_authorization_endpoint", "http_logout_supported"),
    *("frontchannel_logout_supported", "end_session_endpoint", "claims_supported", "tenant_region_scope"),
    *("cloud_instance_name", "cloud_graph_host_name", "msgraph_host", "rbac_url"),
}
ERROR_KEYS = {"error", "error_description", "error_codes", "timestamp", "trace_id", "correlation_id", "error_uri"}
NOWHERE = "12345678-1234-1234-1234-123456789012"


def test_the_document_has_the_recorded_fields_and_names_the_real_hosts(whole: Cloud) -> None:
    tenant = whole.id_of("contoso")
    body = whole.call("GET", "/contoso.example/v2.0/.well-known/openid-configuration").json()
    assert body.keys() == RECORDED
    assert body["issuer"] == f"{LOGIN}/{tenant}/v2.0"
    assert body["token_endpoint"] == f"{LOGIN}/{tenant}/oauth2/v2.0/token"
    assert body["jwks_uri"] == f"{LOGIN}/{tenant}/discovery/v2.0/keys"
    hosts = {urlsplit(value).hostname for value in body.values() if str(value).startswith("http")}
    assert hosts == {"login.microsoftonline.com", "graph.microsoft.com", "pas.windows.net"}
    assert (body["tenant_region_scope"], body["cloud_instance_name"]) == ("WW", "microsoftonline.com")


def test_version_1_has_its_own_endpoints_and_issuer(whole: Cloud) -> None:
    tenant = whole.id_of("contoso")
    body = whole.call("GET", f"/{tenant}/.well-known/openid-configuration").json()
    assert body["issuer"] == f"https://sts.windows.net/{tenant}/"
    assert body["token_endpoint"] == f"{LOGIN}/{tenant}/oauth2/token"
    assert body["jwks_uri"] == f"{LOGIN}/{tenant}/discovery/keys"


def test_an_id_a_domain_and_a_domain_in_capitals_lead_to_the_same_document(whole: Cloud) -> None:
    found = [
        whole.call("GET", f"/{name}/v2.0/.well-known/openid-configuration").json()
        for name in (whole.id_of("contoso"), whole.id_of("contoso").upper(), "contoso.example", "Contoso.Example")
    ]
    assert all(body == found[0] for body in found)


@pytest.mark.parametrize("name", [NOWHERE, "nobody.example"])
def test_an_unknown_tenant_is_400_invalid_tenant(whole: Cloud, name: str) -> None:
    """Recorded; the token endpoint uses another word for the same."""
    answer = whole.call("GET", f"/{name}/v2.0/.well-known/openid-configuration")
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (400, "invalid_tenant", [90002])
    assert body.keys() == ERROR_KEYS
    assert re.match(rf"AADSTS90002: Tenant '{name}' not found\. .*\r\nTrace ID: ", body["error_description"])
    assert body["trace_id"] in body["error_description"] and body["correlation_id"] in body["error_description"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", body["timestamp"])
    assert body["error_uri"] == "https://login.microsoftonline.com/error?code=90002"
    assert "max-age=86400" in answer.headers["Cache-Control"]


def test_what_cannot_be_a_domain_is_400_invalid_tenant_too(whole: Cloud) -> None:
    body = whole.call("GET", "/not-a-tenant/v2.0/.well-known/openid-configuration").json()
    assert (body["error"], body["error_codes"]) == ("invalid_tenant", [900021])


@pytest.mark.parametrize("name", [NOWHERE, "nobody.example", "not-a-tenant"])
def test_the_token_endpoint_calls_an_unknown_tenant_invalid_request(whole: Cloud, name: str) -> None:
    """Recorded."""
    answer = whole.ask_token(name)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert answer.json().keys() == ERROR_KEYS


@pytest.mark.parametrize("name", ["common", "organizations"])
def test_shared_names_have_a_document_and_give_no_tokens(whole: Cloud, name: str) -> None:
    body = whole.call("GET", f"/{name}/v2.0/.well-known/openid-configuration").json()
    assert body["issuer"] == f"{LOGIN}/{{tenantid}}/v2.0"
    assert whole.ask_token(name).json()["error_codes"] == [9001023]


def test_keys_are_published_with_their_issuer(whole: Cloud) -> None:
    for path in (f"/{whole.id_of('contoso')}/discovery/v2.0/keys", "/contoso.example/discovery/keys"):
        [key] = whole.call("GET", path).json()["keys"]
        assert key.keys() == {"kty", "use", "kid", "x5t", "n", "e", "x5c", "issuer"}
        assert key["issuer"] == f"{LOGIN}/{whole.id_of('contoso')}/v2.0"
    assert whole.call("GET", "/nobody.example/discovery/keys").json()["error_codes"] == [90002]
