"""The parts that the queue's menus ask for: tenants by name, counts of choices, and each tenant's freshness."""

from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from accounts.roles import Role
from incidents.filters import MAX_TENANTS
from incidents.tenant_choices import OFFERED
from tenants import scope
from tenants.models import SyncState, Tenant, TenantState
from tests.cast import Cast, make_cast, make_incident, make_person, make_tenant
from tests.conftest import WebClient
from tests.incidents.pages import HOSTILE, assert_harmless, read

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def alice(cast: Cast, client: WebClient) -> WebClient:
    client.force_login(cast.alice)
    return client


def part(client: WebClient, address: str) -> str:
    answer = client.get(f"/incidents/{address}")
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_hundreds_of_tenants_leave_the_page_small_and_each_is_found_by_name(
    client: WebClient, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    tenants = [make_tenant(f"Tenant {n:03}") for n in range(200)]
    client.force_login(make_person("many", *((tenant, Role.VIEWER) for tenant in tenants)))
    make_incident(tenants[150], 1)
    whole = part(client, "?tenant=tenant-199")
    assert whole.count('name="tenant"') == OFFERED + 1
    assert "tenant-150" in whole, "those with most to do are offered first"
    assert 'value="tenant-199" checked' in whole
    with django_assert_max_num_queries(14):
        found = part(client, "tenants/?named=NANT+17&tenant=tenant-003")
    assert found.count('name="tenant"') == 13  # 017, 117, 170 to 179, and the chosen one
    assert 'value="tenant-003" checked' in found
    assert "more: type a part of the name" in part(client, "tenants/")
    assert "No tenant of yours" in part(client, "tenants/?named=nosuch")


def test_an_address_with_too_many_tenants_says_what_to_do(alice: WebClient) -> None:
    query = "&".join(f"tenant=t{n}" for n in range(MAX_TENANTS + 1))
    assert "only the first 200 of them count" in part(alice, f"?{query}")
    assert "Use a tenant group" in part(alice, f"?{query}")


def test_freshness_names_those_in_trouble_first(alice: WebClient, cast: Cast) -> None:
    with scope.operations():
        SyncState.objects.filter(tenant=cast.fabrikam).update(last_ok_at=datetime.now(UTC) - timedelta(hours=2))
    content = part(alice, "freshness/")
    assert content.index("Fabrikam") < content.index("Contoso")
    assert "stale" in content
    assert "Northwind" not in content
    with scope.operations():
        Tenant.objects.filter(pk=cast.contoso.pk).update(state=TenantState.CONSENT_LOST)
    content = part(alice, "freshness/")
    assert content.index("Contoso") < content.index("Fabrikam")
    seen = read(part(alice, "").encode())
    assert "Contoso: consent lost" in seen.text
    assert "Fabrikam: stale" in seen.text


def test_counts_of_choices_lead_to_as_many_rows(alice: WebClient, cast: Cast) -> None:
    make_incident(cast.contoso, 1, classification="TruePositive")
    make_incident(cast.northwind, 2, classification="FalsePositive")
    content = part(alice, "facets/?status=open")
    assert "True positive" in content
    assert "False positive" not in content
    assert "/incidents/?classification=TruePositive" in content
    assert "all 1 incidents that match" in content


def test_how_the_search_box_was_understood_is_said(alice: WebClient, cast: Cast) -> None:
    make_incident(cast.contoso, 12, words="203.0.113.5")
    assert "Looked up exactly, in all of history: number #12" in read(part(alice, "?q=%2312").encode()).text
    assert "these have it in their words" in part(alice, "?q=203.0.113.5")
    assert "neither exactly nor in its words" in part(alice, "?q=203.0.113.99")
    assert "understood" not in part(alice, "?q=suspicious")


def test_whose_address_is_not_known_is_told_why_nothing_is_theirs(alice: WebClient) -> None:
    assert "does not know under which address" in part(alice, "?assignee=me")


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_text_in_any_filter_stays_text(alice: WebClient, payload: str) -> None:
    names = ("group", "classification", "service", "technique", "tag", "newer", "older", "clock", "named", "q")
    for address in ("", "rows/", "tenants/", "facets/", "freshness/"):
        answer = alice.get(f"/incidents/{address}", dict.fromkeys(names, payload))
        assert answer.status_code == 200
        assert_harmless(answer.content)
