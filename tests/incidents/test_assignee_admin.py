"""Staff set under which address a person is written at Microsoft."""

import pytest

from audit.models import AuditEvent
from incidents.assignees import address_for
from tenants import scope
from tests.cast import Cast, make_cast, make_person
from tests.conftest import WebClient

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def test_staff_set_an_address_for_all_tenants_and_another_for_one(client: WebClient, cast: Cast) -> None:
    client.force_login(make_person("dana", is_staff=True))
    usual = {"user": cast.alice.pk, "address": " alice@mssp.example "}
    special = {"user": cast.alice.pk, "tenant": cast.fabrikam.pk, "address": "alice@fabrikam.example"}
    assert client.post("/admin/incidents/assignee/add/", usual).status_code == 302
    assert client.post("/admin/incidents/tenantassignee/add/", special).status_code == 302
    with scope.person(cast.alice):
        assert address_for(cast.alice, cast.contoso) == "alice@mssp.example"
        assert address_for(cast.alice, cast.fabrikam) == "alice@fabrikam.example"
    assert AuditEvent.objects.filter(action="admin: add", actor__startswith="Dana").count() == 2


def test_an_address_that_is_none_gets_a_sentence_and_loses_nothing(client: WebClient, cast: Cast) -> None:
    client.force_login(make_person("dana", is_staff=True))
    answer = client.post("/admin/incidents/assignee/add/", {"user": cast.alice.pk, "address": "alice"})
    assert answer.status_code == 200
    assert "An address looks like name@example.com." in answer.content.decode()
    assert 'value="alice"' in answer.content.decode()


def test_addresses_are_for_staff(client: WebClient, cast: Cast) -> None:
    client.force_login(cast.alice)
    assert client.get("/admin/incidents/assignee/").status_code == 403
