"""The redirects of admin consent. Microsoft Learn: "Admin consent on the Microsoft identity platform" (v2) and
"Grant tenant-wide admin consent" (v1)."""

from urllib.parse import quote, urlencode

import pytest
import requests

from tests.sandbox.cloud import MDE, XDR, Cloud

BACK = "http://localhost:8000/consent/callback/"


def answered(
    cloud: Cloud, version: str, answer: str, *, state: str | None = "s t&1", back: str = BACK
) -> requests.Response:
    query = {"client_id": cloud.world.registration.client_id, "redirect_uri": back}
    query |= {"state": state} if state is not None else {}
    query |= {"scope": f"{XDR}/.default"} if version == "v2" else {}
    path = "v2.0/adminconsent" if version == "v2" else "adminconsent"
    tenant = cloud.id_of("Coho Vineyard")
    return cloud.call("POST", f"/{tenant}/{path}?{urlencode(query)}", data={"answer": answer})


def test_version_1_says_which_tenant_has_consented(cloud: Cloud) -> None:
    tenant = cloud.id_of("Coho Vineyard")
    answer = answered(cloud, "v1", "accept")
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"{BACK}?tenant={tenant}&state=s+t%261&admin_consent=True"


def test_version_2_says_the_scope_too(cloud: Cloud) -> None:
    tenant, scope = cloud.id_of("Coho Vineyard"), quote(f"{XDR}/.default", safe="")
    assert answered(cloud, "v2", "accept").headers["Location"] == (
        f"{BACK}?admin_consent=True&tenant={tenant}&scope={scope}&state=s+t%261"
    )


def test_version_1_says_that_the_administrator_cancelled(cloud: Cloud) -> None:
    assert answered(cloud, "v1", "cancel", state=None).headers["Location"] == (
        f"{BACK}?error=permission_denied&error_description=The+admin+canceled+the+request"
    )
    assert answered(cloud, "v1", "cancel").headers["Location"].endswith("&state=s+t%261")


def test_the_error_of_version_2_says_admin_consent_true_as_documented(cloud: Cloud) -> None:
    assert answered(cloud, "v2", "cancel").headers["Location"] == (
        f"{BACK}?admin_consent=True&error=consent_required"
        "&error_description=AADSTS65004%3A+User+declined+to+consent+to+access+the+app.&state=s+t%261"
    )


def test_version_1_grants_everything_and_version_2_one_api(cloud: Cloud) -> None:
    tenant = cloud.world.tenant("Coho Vineyard")
    answered(cloud, "v2", "accept")
    assert tenant.principal and set(tenant.principal.grants) == {"xdr"}
    assert cloud.ask_token("Coho Vineyard", resource=MDE).status_code == 200
    answered(cloud, "v1", "accept")
    assert tenant.principal.grants["mde"] == {"Machine.Read.All"}


@pytest.mark.parametrize(
    ("back", "is_taken"),
    [
        ("http://localhost:8000/consent/callback/", True),
        ("http://localhost/consent/callback/", True),
        ("http://127.0.0.1:8000/consent/callback/", True),
        ("http://localhost:8000/consent/callback", False),
        ("http://localhost:8000/Consent/callback/", False),
        ("http://localhost:8000/consent/callback/?a=b", False),
        ("http://localhost:8000/consent/callback/more", False),
        ("http://localhost:8000/consent/callback/\n", False),
        ("http://LOCALHOST:8000/consent/callback/", False),
        ("https://localhost:8000/consent/callback/", False),
        ("http://localhost:8000@evil.example/consent/callback/", False),
        ("http://localhost.evil.example/consent/callback/", False),
        ("http://127x0x0x1/consent/callback/", False),
        ("", False),
    ],
)
def test_a_redirect_uri_is_compared_to_the_letter(cloud: Cloud, back: str, is_taken: bool) -> None:
    """Microsoft Learn: Redirect URI restrictions; only the port of loopback is ignored."""
    answer = answered(cloud, "v1", "accept", back=back)
    assert answer.status_code == (302 if is_taken else 400)
    assert is_taken or "AADSTS50011" in answer.text
    assert is_taken == (cloud.world.tenant("Coho Vineyard").principal is not None)
