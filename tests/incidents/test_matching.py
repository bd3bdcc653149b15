"""Changing everything that the queue's filters find, whatever page it is on (F-73)."""

import re

import pytest
from django.conf import settings
from pytest_django import DjangoAssertNumQueries

from accounts.roles import Role
from incidents import matching
from incidents.decisions import MOST_TARGETS
from incidents.models import Assignee, Severity, Status
from tests.cast import Cast, make_cast, make_incident, make_person
from tests.conftest import WebClient
from tests.incidents.forms import FORM, PART, intents
from tests.incidents.pages import read

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    """Sixty open incidents of Contoso, more than a page; others that are closed, of Fabrikam, and not alice's."""
    cast = make_cast()
    for number in range(1, 61):
        make_incident(cast.contoso, number, severity=Severity.HIGH if number % 2 else Severity.LOW)
    make_incident(cast.contoso, 90, status=Status.RESOLVED)
    make_incident(cast.fabrikam, 7, severity=Severity.HIGH)
    make_incident(cast.northwind, 7, "Secret", severity=Severity.HIGH)
    Assignee.objects.create(user=cast.alice, address="alice@mssp.example")
    return cast


def listed(client: WebClient, query: str, do: str = "status") -> set[tuple[str, int]]:
    """What the form for everything that matches would change."""
    page = client.get(FORM, {"do": do, "matching": query}, headers=PART)
    assert page.status_code == 200
    return {(slug, int(number)) for slug, number in re.findall(r'name="incident" value="([a-z]+):(\d+):', page.text)}


def test_the_form_is_about_all_pages_of_ones_own_tenants_and_of_no_others_f73(analyst: WebClient) -> None:
    contoso = {("contoso", number) for number in range(1, 61)}
    assert listed(analyst, "") == contoso | {("fabrikam", 7)}
    assert listed(analyst, "severity=high") == {one for one in contoso if one[1] % 2} | {("fabrikam", 7)}
    assert listed(analyst, "tenant=contoso&status=resolved") == {("contoso", 90)}
    assert listed(analyst, "q=%237") == {("contoso", 7), ("fabrikam", 7)}
    assert listed(analyst, "tenant=northwind") == set()


def test_what_was_listed_is_decided_as_one_decision(analyst: WebClient, cast: Cast) -> None:
    page = analyst.get(FORM, {"do": "resolve", "matching": "tenant=contoso"}, headers=PART)
    places = re.findall(r'name="incident" value="([^"]+)"', page.text)
    answer = analyst.post(
        FORM, {"do": "resolve", "key": "key-1", "incident": places, "verdict": "FalsePositive/Other"}, headers=PART
    )
    assert "Resolved: 60 incidents" in read(answer.content).text
    assert len(intents(cast.contoso, field="status")) == 60


@pytest.mark.parametrize("part", [PART, {}])
def test_a_press_that_needs_no_form_shows_one_before_it_is_about_everything(
    analyst: WebClient, cast: Cast, part: dict[str, str]
) -> None:
    form = {"do": "assign-to-me", "matching": "severity=high", "key": "key-1", "incident": "contoso:1"}
    answer = analyst.post(FORM, form, headers=part)
    assert "31 incidents of 2 tenants" in read(answer.content).text
    assert answer.headers.get("HX-Retarget") == ("#triage-body" if part else None)
    assert intents(cast.contoso) == []


def test_more_than_may_be_changed_at_once_is_said_and_the_newest_are_taken(
    analyst: WebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "MOST_TARGETS", 40)
    page = analyst.get(FORM, {"do": "status", "matching": ""}, headers=PART)
    assert "More than 40 match. This is about the newest 40; for the others, narrow" in read(page.content).text
    assert page.text.count('name="incident"') == 40


def test_tenants_that_cannot_be_changed_take_no_ones_place(
    client: WebClient, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    dave = make_person("dave", (cast.contoso, Role.VIEWER), (cast.fabrikam, Role.ANALYST))
    client.force_login(dave)
    monkeypatch.setattr(matching, "MOST_TARGETS", 5)
    assert listed(client, "") == {("fabrikam", 7)}
    page = client.get(FORM, {"do": "status", "matching": ""}, headers=PART)
    assert "1 tenant of the list cannot be changed by you and is left aside." in read(page.content).text
    page = client.get(FORM, {"do": "status", "matching": "tenant=contoso"}, headers=PART)
    assert "Nothing that you may change matches the filters." in read(page.content).text


def test_filters_that_find_nothing_are_answered_in_words(analyst: WebClient) -> None:
    for query in ("tenant=northwind", "tag=nosuch", "after=1&severity=nosuch&tag=%00", "status=merged", "x=" * 2_000):
        page = analyst.get(FORM, {"do": "status", "matching": query}, headers=PART)
        assert page.status_code == 200
    assert "Nothing matches the filters." in analyst.get(FORM, {"do": "status", "matching": "tag=nosuch"}).text


def test_words_are_not_looked_for_where_the_list_shows_exact_values(client: WebClient, cast: Cast) -> None:
    dave = make_person("dave", (cast.contoso, Role.VIEWER), (cast.fabrikam, Role.ANALYST))
    make_incident(cast.contoso, 4_711)
    make_incident(cast.fabrikam, 8, words="#4711")
    client.force_login(dave)
    assert "contoso-4711" in client.get("/incidents/?q=%234711").text
    assert "fabrikam-8" not in client.get("/incidents/?q=%234711").text
    assert listed(client, "q=%234711") == set()


def test_no_condition_falls_off_the_end_of_long_filters(analyst: WebClient) -> None:
    tenants = "&".join(f"tenant={'x' * 50}{n}" for n in range(80))
    for client_sends in (analyst.get, analyst.post):
        page = client_sends(FORM, {"do": "status", "matching": f"tenant=contoso&{tenants}&severity=high"}, headers=PART)
        assert page.text.count('name="incident"') == 30
    page = analyst.post(FORM, {"do": "status", "matching": "tag=" + "x" * 40_000}, headers=PART)
    assert "These filters are too long to be taken along." in read(page.content).text


def test_what_is_looked_for_in_the_newest_only_is_said(analyst: WebClient) -> None:
    for query, is_said in (("q=phish", True), ("tag=vip", True), ("", False), ("q=%237", False)):
        page = analyst.get(FORM, {"do": "status", "matching": query}, headers=PART)
        assert ("were looked for in the newest 20,000" in read(page.content).text) is is_said, query


def test_a_page_of_rows_asks_for_its_form_in_a_body_since_no_address_is_that_long(
    analyst: WebClient, cast: Cast
) -> None:
    places = [f"contoso:{number}:{'x' * 200}" for number in range(1, 51)]
    answer = analyst.post(FORM, {"do": "resolve", "ask": "1", "incident": places}, headers=PART)
    assert "50 incidents" in read(answer.content).text
    assert 'name="ask"' not in answer.text
    assert 'method="post"' in re.findall(r'<form class="triage-bar[^>]*>', analyst.get("/incidents/").text)[0]
    assert intents(cast.contoso) == []


def test_a_thousand_take_as_many_queries_as_a_few(
    analyst: WebClient, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(25):
        assert len(listed(analyst, "")) == 61


def test_a_form_with_as_many_fields_as_a_decision_may_have_is_read() -> None:
    assert settings.DATA_UPLOAD_MAX_NUMBER_FIELDS >= 2 * MOST_TARGETS + 20


def test_whoever_may_change_nothing_anywhere_is_offered_no_actions(client: WebClient, cast: Cast) -> None:
    client.force_login(cast.bob)
    assert 'id="selection"' not in client.get("/incidents/?status=all").text
