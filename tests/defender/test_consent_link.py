"""The link that leads a customer's admin to Microsoft's consent page."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from defender.auth import admin_consent_url
from defender.clouds import GRAPH, MDE, StandIn, find_cloud
from tests.defender.microsoft import CONTOSO, PARTNER_APP

CALLBACK = "https://portal.example/consent/callback/"


def link(**options: Any) -> Any:
    url = admin_consent_url(
        find_cloud("global"),
        tenant_id=CONTOSO,
        client_id=PARTNER_APP,
        redirect_uri=CALLBACK,
        state="s-1 &x",
        **options,
    )
    return urlsplit(url)


def test_f48_the_consent_link_names_one_tenant_and_one_api() -> None:
    parts = link()
    assert (parts.scheme, parts.netloc) == ("https", "login.microsoftonline.com")
    assert parts.path == f"/{CONTOSO}/v2.0/adminconsent"
    assert parse_qs(parts.query) == {
        "client_id": [str(PARTNER_APP)],
        "redirect_uri": [CALLBACK],
        "state": ["s-1 &x"],
        "scope": ["https://api.security.microsoft.com/.default"],
    }


def test_f48_the_older_form_consents_to_everything_registered() -> None:
    parts = link(form="v1")
    assert parts.path == f"/{CONTOSO}/adminconsent"
    assert "scope" not in parse_qs(parts.query)


def test_graph_has_an_audience_of_its_own_in_each_cloud() -> None:
    assert find_cloud("dod").scope(GRAPH) == "https://dod-graph.microsoft.us/.default"
    assert find_cloud("dod").scope(MDE) == "https://api.securitycenter.microsoft.com/.default"


def test_the_sandbox_sends_browsers_to_its_own_login() -> None:
    url = "http://localhost:8400"
    cloud = find_cloud("sandbox", StandIn(login=url, xdr=url, mde=url, graph=url))
    assert admin_consent_url(
        cloud, tenant_id=CONTOSO, client_id=PARTNER_APP, redirect_uri=CALLBACK, state="s"
    ).startswith(f"{url}/{CONTOSO}/v2.0/adminconsent?")


@pytest.mark.parametrize("tenant", ["common", "organizations", "contoso.com", "../x"])
def test_a_consent_link_for_any_tenant_cannot_be_made(tenant: str) -> None:
    with pytest.raises(ValueError):
        admin_consent_url(
            find_cloud("global"),
            tenant_id=tenant,  # type: ignore[arg-type]
            client_id=PARTNER_APP,
            redirect_uri=CALLBACK,
            state="s",
        )
