"""What the command list finds: incidents by number, tenants by name, and nothing of other people's tenants."""

import pytest

from tests.cast import Cast, make_cast, make_incident
from tests.conftest import WebClient
from tests.incidents.pages import HOSTILE, assert_harmless

pytestmark = pytest.mark.django_db


@pytest.fixture
def alice(client: WebClient) -> WebClient:
    cast = make_cast()
    make_incident(cast.contoso, 123, "Of Contoso")
    make_incident(cast.fabrikam, 123, "Of Fabrikam")
    make_incident(cast.northwind, 123, "Of Northwind")
    client.force_login(cast.alice)
    return client


def found(client: WebClient, text: str) -> str:
    answer = client.get("/incidents/find/", {"q": text})
    assert answer.status_code == 200
    return str(answer.text)


def test_a_number_finds_it_in_every_tenant_of_the_person(alice: WebClient) -> None:
    for text in ("123", "#123", " 123 "):
        answer = found(alice, text)
        assert "Of Contoso" in answer
        assert "Of Fabrikam" in answer
        assert "orthwind" not in answer


def test_a_tenants_name_beside_the_number_narrows(alice: WebClient) -> None:
    for text in ("contoso 123", "Cont #123", "123 CONTOSO"):
        answer = found(alice, text)
        assert 'data-href="/incidents/contoso/123/"' in answer
        assert "Fabrikam" not in answer


def test_a_tenants_name_alone_leads_to_its_queue(alice: WebClient) -> None:
    assert 'data-href="/incidents/?tenant=fabrikam"' in found(alice, "fab")
    assert found(alice, "northwind").strip() == ""


@pytest.mark.parametrize("text", ["", " ", "124", "9" * 19, "9" * 300, "nosuch", "\u200b"])
def test_what_is_not_there_is_an_empty_answer(alice: WebClient, text: str) -> None:
    assert found(alice, text).strip() == ""


@pytest.mark.parametrize("payload", HOSTILE)
def test_f33_names_that_attackers_wrote_stay_text(client: WebClient, payload: str) -> None:
    cast: Cast = make_cast()
    make_incident(cast.contoso, 5, payload)
    client.force_login(cast.alice)
    assert_harmless(client.get("/incidents/find/?q=5").content)
