"""The queue as a browser gets it: filters in the address, the live part, and a page for every emptiness."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from accounts.roles import Role
from incidents.columns import COLUMNS
from incidents.models import IncidentTag, IncidentTechnique, Severity, Status
from tenants import scope
from tenants.models import Budget, SyncState, Tenant, TenantState
from tests.cast import NOW, Cast, make_cast, make_incident, make_person, make_tenant
from tests.conftest import WebClient
from tests.incidents.pages import HOSTILE, Reader, assert_harmless, read

pytestmark = pytest.mark.django_db

FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def alice(cast: Cast, client: WebClient) -> WebClient:
    client.force_login(cast.alice)
    return client


def page(client: WebClient, query: str = "", path: str = "") -> Reader:
    answer = client.get(f"/incidents/{path}{query}")
    assert answer.status_code == 200
    return read(answer.content)


def test_a_row_tells_what_an_analyst_needs_to_choose(alice: WebClient, cast: Cast) -> None:
    make_incident(
        cast.contoso,
        42,
        "Phishing mail",
        severity=Severity.HIGH,
        host="wks-1",
        account="megan@contoso.com",
        alert_count=3,
        assigned_to="bob@mssp.example",
    )
    seen = page(alice)
    for words in (
        "High",
        "Phishing mail",
        "#42",
        "Contoso",
        "Active",
        "bob@mssp.example",
        "wks-1",
        "megan@contoso.com",
    ):
        assert words in seen.text
    assert "/incidents/contoso/42/" in seen.links
    assert NOW.isoformat(timespec="milliseconds") in seen.moments


def test_a_filtered_address_can_be_shared(alice: WebClient, cast: Cast) -> None:
    make_incident(cast.contoso, 1, "First", severity=Severity.HIGH)
    make_incident(cast.fabrikam, 2, "Second", severity=Severity.LOW)
    seen = page(alice, "?tenant=fabrikam&severity=low&status=all&assignee=nobody&q=second")
    assert "Second" in seen.text
    assert "First" not in seen.text
    assert "/incidents/?severity=low&status=all&assignee=nobody&q=second" in seen.links  # the chip of the tenant
    assert "/incidents/" in seen.links  # clear all


def test_the_filter_bar_gets_the_live_part_and_the_short_address(alice: WebClient, cast: Cast) -> None:
    answer = alice.get("/incidents/?q=&status=open&assignee=&severity=high&tenant=contoso", headers=FRAGMENT)
    assert answer.headers["HX-Push-Url"] == "/incidents/?tenant=contoso&severity=high"
    assert answer.content.lstrip().startswith(b"<section")
    assert b"<form" not in answer.content


def test_the_live_part_answers_204_until_something_changes(alice: WebClient, cast: Cast) -> None:
    make_incident(cast.contoso, 1)
    address = page(alice).polled["queue"]
    assert alice.get(address).status_code == 204
    make_incident(cast.northwind, 2)
    assert alice.get(address).status_code == 204
    make_incident(cast.contoso, 3, "Arrived just now")
    answer = alice.get(address)
    assert answer.status_code == 200
    assert "Arrived just now" in read(answer.content).text
    assert alice.get(read(answer.content).polled["queue"]).status_code == 204


def test_freshness_moves_on_without_content(alice: WebClient, cast: Cast) -> None:
    address = page(alice).polled["queue"]
    later = datetime(2026, 3, 2, 9, 0, 5, tzinfo=UTC)
    with scope.operations():
        SyncState.objects.update(last_ok_at=later)
    answer = alice.get(address)
    # Times of long ago are stale, which is news; the next answer is the quiet one.
    answer = alice.get(read(answer.content).polled["queue"])
    assert answer.status_code == 204
    assert answer.headers["HX-Trigger"] == '{"freshness": {"oldest": "2026-03-02T09:00:05+00:00"}}'


def test_only_the_first_page_keeps_itself_current(alice: WebClient, cast: Cast) -> None:
    for number in range(1, 60):
        make_incident(cast.contoso, number, f"Incident number {number}", updated_at=NOW + timedelta(seconds=number))
    first = page(alice)
    assert "queue" in first.polled
    older = next(link for link in first.links if "after=" in link)
    second = read(alice.get(older).content)
    assert "queue" not in second.polled
    assert "Incident number 9 " in second.text
    assert "Incident number 10 " not in second.text


def test_the_cursor_of_alice_gives_bob_his_own_first_page(cast: Cast, client: WebClient) -> None:
    for number in range(1, 60):
        make_incident(cast.fabrikam, number, updated_at=NOW + timedelta(seconds=number))
    make_incident(cast.contoso, 99, "For both")
    client.force_login(cast.alice)
    older = next(link for link in page(client).links if "after=" in link)
    client.force_login(cast.bob)
    seen = read(client.get(older).content)
    assert "For both" in seen.text
    assert "Fabrikam" not in seen.text
    assert "queue" in seen.polled


def test_a_person_without_tenants_is_told_so(client: WebClient) -> None:
    client.force_login(make_person("erin"))
    assert "No tenants are assigned to you" in page(client).text


def test_each_emptiness_is_explained(alice: WebClient, cast: Cast) -> None:
    assert "Nothing is open" in page(alice).text
    assert "No incident matches these filters" in page(alice, "?q=absent").text
    with scope.operations():
        SyncState.objects.update(last_ok_at=None)
    assert "Nothing has been synced yet" in page(alice).text


def test_a_tenant_that_is_none_and_one_of_others_get_the_same_words(alice: WebClient, cast: Cast) -> None:
    make_incident(cast.northwind, 1, "Secret")
    answers = [alice.get(f"/incidents/?tenant={slug}", headers=FRAGMENT).content for slug in ("northwind", "northwild")]
    assert answers[0].replace(b"northwind", b"northwild") == answers[1]
    assert b"not available to you" in answers[0]


def test_tenants_in_trouble_are_marked_where_their_incidents_are(alice: WebClient, cast: Cast) -> None:
    make_incident(cast.contoso, 1)
    with scope.operations():
        SyncState.objects.filter(tenant=cast.contoso).update(last_ok_at=datetime.now(UTC) - timedelta(hours=2))
    seen = page(alice)
    assert "stale" in seen.text
    assert "2 tenants, oldest as of 2 h ago" in seen.text
    assert "1 needs attention" in seen.text


def test_throttled_and_lost_tenants_say_what_they_wait_for(alice: WebClient, cast: Cast) -> None:
    make_incident(cast.contoso, 1)
    make_incident(cast.fabrikam, 2)
    now = datetime.now(UTC)
    with scope.operations():
        Tenant.objects.filter(pk=cast.fabrikam.pk).update(state=TenantState.CONSENT_LOST)
        Budget.objects.create(
            tenant=cast.contoso,
            verb="list",
            minute_started_at=now,
            hour_started_at=now,
            blocked_until=now + timedelta(minutes=5),
        )
    seen = page(alice)
    assert "waiting for Microsoft until" in seen.text
    assert "consent lost" in seen.text
    assert "2 need attention" in seen.text


def test_names_of_other_peoples_tenants_and_assignees_are_nowhere(alice: WebClient, cast: Cast) -> None:
    make_incident(cast.northwind, 1, "Secret", assigned_to="zoe@mssp.example", host="northwind-dc")
    for query in ("", "?status=all", "?q=secret", "?tenant=contoso"):
        content = alice.get(f"/incidents/{query}").content.decode().replace(query, "").lower()
        assert "northwind" not in content
        assert "zoe@" not in content


def test_merged_shells_lead_to_what_they_were_merged_into(alice: WebClient, cast: Cast) -> None:
    make_incident(cast.contoso, 1, "The whole story")
    make_incident(cast.contoso, 2, "A part", status=Status.REDIRECTED, redirect_number=1)
    assert "merged from 1" in page(alice).text
    seen = page(alice, "?status=merged")
    assert "merged into #1" in seen.text
    assert "/incidents/contoso/1/" in seen.links


@pytest.mark.parametrize("field", ["name", "host", "account", "assigned_to", "remote_status", "remote_severity"])
@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_text_in_any_column_stays_text(alice: WebClient, cast: Cast, field: str, payload: str) -> None:
    more: dict[str, Any] = {} if field == "name" else {field: payload}
    name = payload if field == "name" else "Plain"
    make_incident(cast.contoso, 1, name, severity=Severity.UNKNOWN, status=Status.OTHER, **more)
    assert_harmless(alice.get("/incidents/?assignee=" + field).content)
    assert_harmless(alice.get("/incidents/").content, shows="alert(1)" if "alert(1)" in payload else "")


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_text_in_columns_that_are_chosen_seldom_stays_text(alice: WebClient, cast: Cast, payload: str) -> None:
    alice.post(reverse("incidents:choose_columns"), {"column": list(COLUMNS)})
    of: Any = {"tenant": cast.contoso}
    of["incident"] = make_incident(cast.contoso, 1, classification=payload, determination=payload, created_at=NOW)
    with scope.tenant(cast.contoso.pk):
        IncidentTag.objects.create(**of, tag=payload)
        IncidentTechnique.objects.create(**of, technique=payload)
    for address in ("/incidents/", "/incidents/rows/"):
        assert_harmless(alice.get(address).content, shows="alert(1)" if "alert(1)" in payload else "")
    assert page(alice).text.count("(1)") >= 3 * payload.count("(1)")


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_text_in_the_address_stays_text(alice: WebClient, cast: Cast, payload: str) -> None:
    query = {"q": payload, "tenant": payload, "assignee": payload, "severity": payload, "status": payload}
    for headers in ({}, FRAGMENT):
        answer = alice.get("/incidents/", {**query, "after": payload, "version": payload}, headers=headers)
        assert answer.status_code == 200
        assert_harmless(answer.content)


def test_a_hundred_tenants_do_not_add_queries(
    cast: Cast, client: WebClient, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    tenants = [make_tenant(f"Tenant {n}") for n in range(100)]
    client.force_login(make_person("many", *((tenant, Role.ANALYST) for tenant in tenants)))
    for number in range(1, 60):
        make_incident(tenants[number % 100], number)
    with django_assert_max_num_queries(21):
        client.get(reverse("incidents:queue"))
    with django_assert_max_num_queries(17):  # what an open page asks for every few seconds
        client.get(reverse("incidents:queue_rows"), headers=FRAGMENT)
