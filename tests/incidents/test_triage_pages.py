"""Changing incidents as a browser does it: with scripts as parts of a page, without them as plain forms."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.roles import Role
from audit.models import AuditEvent
from incidents.asking import ACTIONS, VERDICTS
from incidents.models import Assignee, Comment, Delivery, Incident, IncidentTag, Intent, IntentState, Status
from incidents.signing import signed
from tenants import scope
from tenants.models import Tenant, TenantState
from tests.cast import NOW, Cast, make_cast, make_incident, make_person
from tests.conftest import WebClient
from tests.incidents.forms import FORM, PART, change, intents, post, shown_in
from tests.incidents.pages import HOSTILE, assert_harmless, read

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    cast = make_cast()
    for tenant in (cast.contoso, cast.fabrikam, cast.northwind):
        make_incident(tenant, 7, f"Of {tenant.name}")
        make_incident(tenant, 8)
    Assignee.objects.create(user=cast.alice, address="alice@mssp.example")
    return cast


def test_assigning_to_oneself_takes_one_press_and_tells_how_to_undo_it(analyst: WebClient, cast: Cast) -> None:
    answer = post(analyst, "assign-to-me", "contoso:7", "fabrikam:7")
    text = read(answer.content).text
    assert "Assigned to you: 2 incidents. On its way to Microsoft. Undo u" in text
    event = json.loads(answer.headers["HX-Trigger"])["decided"]
    assert event["open"] is False
    assert event["key"] != "key-1"
    assert [one.wanted for one in intents(cast.contoso) + intents(cast.fabrikam)] == ["alice@mssp.example"] * 2


def test_without_scripts_a_decision_leads_to_what_has_become_of_it(analyst: WebClient) -> None:
    answer = post(analyst, "resolve", part=False, verdict="FalsePositive/Clean", comment="Known scanner.")
    assert answer.status_code == 302
    page = read(analyst.get(answer.headers["Location"]).content)
    for words in (
        "One decision",
        "Status: Resolved",
        "Classification: False positive, Not malicious",
        "Known scanner.",
    ):
        assert words in page.text
    assert "Take back" in page.text


@pytest.mark.parametrize("do", [do for do, action in ACTIONS.items() if not action.is_direct])
def test_every_form_says_what_will_change_and_of_whom(analyst: WebClient, do: str) -> None:
    for headers in ({}, PART):
        answer = analyst.get(FORM, {"do": do, "incident": ["contoso:7", "fabrikam:7"]}, headers=headers)
        text = read(answer.content).text
        assert "2 incidents of 2 tenants" in text
        assert "#7 Of Contoso" in text
        assert "#7 Of Fabrikam" in text
        assert ("<html" in answer.text) is not bool(headers)


def test_only_valid_pairs_can_be_chosen(analyst: WebClient, cast: Cast) -> None:
    offered = re.findall(
        r'<option value="(\w+/\w+)"', analyst.get(FORM, {"do": "classify", "incident": "contoso:7"}).text
    )
    assert offered == [value for _, pairs in VERDICTS for value, _ in pairs]
    assert len(offered) == 14
    for number, value in enumerate(offered):
        assert post(analyst, "classify", key=f"key-{number}", verdict=value).status_code == 200
    assert len(intents(cast.contoso)) == 14
    answer = post(analyst, "classify", key="wrong", verdict="FalsePositive/Malware")
    assert "does not go with" in answer.text
    assert answer.headers["HX-Retarget"] == "#triage-body"


def test_what_was_typed_stays_where_a_decision_cannot_be_made(analyst: WebClient, cast: Cast) -> None:
    answer = post(analyst, "comment", part=False, comment="x" * 951)
    assert answer.status_code == 422
    assert "x" * 951 in answer.text
    assert "A comment has at most 950 characters" in answer.text
    assert intents(cast.contoso) == []


@pytest.mark.parametrize("places", [[], ["contoso"], ["contoso:x"], [":7"], ["contoso:" + "9" * 40], ["\x00:7"]])
def test_no_incident_chosen_is_told(analyst: WebClient, places: list[str]) -> None:
    answer = analyst.post(FORM, {"do": "assign-to-me", "incident": places, "key": "k"}, headers=PART)
    assert answer.status_code == 200
    assert "Choose" in answer.text


def test_a_double_click_and_the_back_button_decide_once(analyst: WebClient, cast: Cast) -> None:
    first = post(analyst, "comment", part=False, comment="Once.")
    second = post(analyst, "comment", part=False, comment="Once.")
    assert first.headers["Location"] == second.headers["Location"]
    assert len(intents(cast.contoso)) == 1
    assert "used for another decision" in post(analyst, "comment", comment="Twice.").text
    assert len(intents(cast.contoso)) == 1


def test_undo_takes_everything_back_while_nothing_has_left(analyst: WebClient, cast: Cast) -> None:
    post(analyst, "assign-to-me", "contoso:7", "fabrikam:7")
    answer = analyst.post(f"{FORM}undo/", {"key": "key-1"}, headers=PART)
    assert "Taken back: 2 changes." in read(answer.content).text
    assert [one.state for one in intents(cast.contoso) + intents(cast.fabrikam)] == [IntentState.CANCELLED] * 2
    assert analyst.post(f"{FORM}undo/", {"key": "key-1"}).headers["Location"] == "/incidents/my-changes/"


def test_every_form_that_is_shown_can_be_sent(analyst: WebClient, cast: Cast) -> None:
    """Parts that are included without their surroundings must be given the token that a POST needs."""
    seen = shown_in(analyst, "status", "contoso:7")
    change(cast.contoso, 7, status=Status.RESOLVED, is_open=False)
    made = post(analyst, "status", *seen, status="in-progress").text
    note = post(analyst, "comment", key="key-2", comment="x").text
    pages = [analyst.get(page).text for page in ("/incidents/my-changes/", "/incidents/contoso/7/", "/incidents/")]
    for text in (made, note, *pages):
        assert text.count('method="post"') <= text.count("csrfmiddlewaretoken")
        for form in re.findall(r'<form[^>]*method="post".*?</form>', text, re.DOTALL):
            assert "csrfmiddlewaretoken" in form


def test_undo_says_where_it_is_too_late(analyst: WebClient, cast: Cast) -> None:
    post(analyst, "comment", comment="Off it goes.")
    with scope.tenant(cast.contoso.pk):
        Intent.objects.update(state=IntentState.SENT, sent_at=NOW)
    assert "Too late for 1 change" in analyst.post(f"{FORM}undo/", {"key": "key-1"}, headers=PART).text


def test_a_value_that_changed_since_it_was_seen_is_shown_beside_ones_own(analyst: WebClient, cast: Cast) -> None:
    seen = shown_in(analyst, "status", "contoso:7")
    change(cast.contoso, 7, status=Status.RESOLVED, is_open=False)
    text = read(post(analyst, "status", *seen, status="in-progress").content).text
    for words in ("You saw Active", "Your value In progress", "Now at Microsoft Resolved", "Nothing was overwritten"):
        assert words in text
    made = intents(cast.contoso)[0]
    answer = analyst.post(f"{FORM}settle/", {"change": made.pk, "choice": "mine"}, headers=PART)
    assert "your change is on its way again" in answer.text
    assert intents(cast.contoso)[0].state == IntentState.QUEUED


def test_keeping_theirs_takes_ones_own_change_back(analyst: WebClient, cast: Cast) -> None:
    seen = shown_in(analyst, "status", "contoso:7")
    change(cast.contoso, 7, status=Status.RESOLVED, is_open=False)
    post(analyst, "status", *seen, status="in-progress")
    page = read(analyst.get("/incidents/my-changes/").content).text
    assert page.index("Needs you") < page.index("Decided")
    made = intents(cast.contoso)[0]
    assert "stays" in analyst.post(f"{FORM}settle/", {"change": made.pk, "choice": "theirs"}, headers=PART).text
    assert intents(cast.contoso)[0].state == IntentState.CANCELLED


def test_the_row_that_was_seen_in_the_queue_guards_a_colleagues_assignment(analyst: WebClient, cast: Cast) -> None:
    queue = analyst.get("/incidents/").text
    value = next(one for one in re.findall(r'name="incident" value="([^"]+)"', queue) if one.startswith("contoso:7:"))
    change(cast.contoso, 7, assigned_to="bob@mssp.example")
    text = read(post(analyst, "assign-to-me", value).content).text
    assert "Now at Microsoft bob@mssp.example" in text
    assert intents(cast.contoso)[0].state == IntentState.CONFLICT


def test_a_read_only_tenant_says_why_and_staff_get_the_way_to_the_link(cast: Cast, client: WebClient) -> None:
    with scope.operations():
        Delivery.objects.update_or_create(
            tenant=cast.contoso,
            defaults={"off_since": NOW, "off_code": "forbidden", "off_detail": "Microsoft said no."},
        )
    ada = make_person("ada", (cast.contoso, Role.ANALYST), is_staff=True)
    for person, has_link in ((cast.alice, False), (ada, True)):
        client.force_login(person)
        for page in ("/incidents/contoso/7/", f"{FORM}?do=comment&incident=contoso:7"):
            answer = read(client.get(page).content)
            assert "Microsoft said no." in answer.text, page
            assert ("Make a consent link" in answer.text) is has_link, page
        assert 'data-action="assign-to-me"' not in client.get("/incidents/contoso/7/").text
    assert "Microsoft said no." in post(client, "comment", comment="No way.").text
    assert intents(cast.contoso) == []


def test_a_lost_consent_is_met_with_its_sentence(analyst: WebClient, cast: Cast) -> None:
    with scope.operations():
        Tenant.objects.filter(pk=cast.contoso.pk).update(state=TenantState.CONSENT_LOST)
    assert "Contoso is read-only" in post(analyst, "comment", comment="x").text


def test_one_without_an_address_is_told_so_and_the_others_go(analyst: WebClient, cast: Cast) -> None:
    Assignee.objects.all().delete()
    text = read(post(analyst, "assign-to-me").content).text
    assert "Nothing was changed." in text
    assert "You have no address at Microsoft there yet" in text


def test_what_is_on_its_way_is_laid_over_rows_and_incident_and_marked(analyst: WebClient, cast: Cast) -> None:
    before = read(analyst.get("/incidents/").content).polled["queue"]
    post(analyst, "status", status="in-progress")
    post(analyst, "assign-to-me", key="key-2")
    queue = read(analyst.get("/incidents/?status=all").content).text
    assert "In progress on its way alice@mssp.example" in queue
    assert analyst.get(before).status_code == 200
    page = read(analyst.get("/incidents/contoso/7/").content)
    assert "Status In progress on its way Assigned to alice@mssp.example on its way" in page.text
    assert "Status: In progress – Alice" in page.text
    assert analyst.get(page.polled["strip"]).status_code == 204
    with scope.tenant(cast.contoso.pk):
        Intent.objects.filter(field="status").update(
            state=IntentState.REFUSED, code="rejected", detail="Microsoft says no.", due_at=None, settled_at=NOW
        )
    assert "Microsoft says no." in analyst.get(page.polled["strip"]).text


def test_a_comment_of_ours_names_its_author_where_microsoft_names_the_app(analyst: WebClient, cast: Cast) -> None:
    post(analyst, "comment", comment="Known scanner.")
    made = intents(cast.contoso)[0]
    with scope.tenant(cast.contoso.pk):
        of_incident = {"tenant": cast.contoso, "incident_id": made.incident_id, "created_by": "Portal app"}
        told = signed("Known scanner.", initials=made.initials, mark=made.mark)
        Comment.objects.create(**of_incident, position=0, text=told)
        Comment.objects.create(**of_incident, position=1, text="Theirs. — AB, ref 222222")
    text = read(analyst.get("/incidents/contoso/7/").content).text
    assert "Alice here, at Microsoft as Portal app" in text
    assert made.mark not in text
    assert "Theirs. — AB, ref 222222" in text


def test_tags_of_the_chosen_are_offered_to_be_taken_away(analyst: WebClient, cast: Cast) -> None:
    with scope.tenant(cast.contoso.pk):
        made = Incident.objects.get(tenant=cast.contoso, number=7)
        IncidentTag.objects.create(tenant=cast.contoso, incident=made, tag="old")
    assert 'name="remove_tags" value="old"' in analyst.get(FORM, {"do": "tags", "incident": "contoso:7"}).text
    post(analyst, "tags", remove_tags=["old"])
    assert intents(cast.contoso)[0].wanted == {"add": [], "remove": ["old"]}


def test_the_note_counts_what_stands_at_microsoft(analyst: WebClient, cast: Cast) -> None:
    post(analyst, "assign-to-me", "contoso:7", "contoso:8")
    address = "/incidents/triage/progress/?decision=key-1"
    assert "0 of 2 stand at Microsoft" in analyst.get(address).text
    with scope.tenant(cast.contoso.pk):
        Intent.objects.update(state=IntentState.CONFIRMED, due_at=None, settled_at=NOW)
    done = analyst.get(address)
    assert "2 of 2 stand at Microsoft" in done.text
    assert "data-poll" not in done.text
    assert analyst.get("/incidents/triage/progress/?decision=nosuch").status_code == 404


def test_my_changes_keep_themselves_current(analyst: WebClient, cast: Cast) -> None:
    assert "You have changed nothing yet" in analyst.get("/incidents/my-changes/").text
    post(analyst, "comment", comment="Look at this.")
    address = read(analyst.get("/incidents/my-changes/").content).polled["changes"]
    assert analyst.get(address, headers=PART).status_code == 204
    made = intents(cast.contoso)[0]
    assert "Taken back: 1 change" in analyst.post(f"{FORM}cancel/", {"change": made.pk}, headers=PART).text
    assert "Cancelled" in analyst.get(address, headers=PART).text


def test_next_leads_down_the_queue_that_the_person_came_from_and_stays_there_when_the_incident_moves(
    analyst: WebClient, cast: Cast
) -> None:
    for number in range(10, 13):
        make_incident(cast.contoso, number, updated_at=NOW + timedelta(minutes=number))
    page = analyst.get("/incidents/contoso/12/?tenant=contoso").text
    found = re.search(r'href="([^"]+)" data-action="next-incident"', page)
    assert found
    address = found[1].replace("&amp;", "&")
    change(cast.contoso, 12, updated_at=NOW + timedelta(days=1))
    assert analyst.get(address).headers["Location"] == "/incidents/contoso/11/?tenant=contoso"
    assert analyst.get("/incidents/next/?tenant=fabrikam").headers["Location"].startswith("/incidents/fabrikam/")
    assert analyst.get("/incidents/next/?tenant=northwind").headers["Location"] == "/incidents/"
    assert analyst.get("/incidents/next/?after=forged").status_code == 302


def test_a_reader_sees_no_action_and_may_do_none(cast: Cast, client: WebClient) -> None:
    client.force_login(cast.bob)
    page = client.get("/incidents/contoso/7/")
    assert "You may read this incident, but not change it." in page.text
    assert 'data-action="resolve"' not in page.text
    assert "but not change them" in post(client, "comment", comment="Hello.").text
    assert intents(cast.contoso) == []


def test_others_learn_nothing_and_touch_nothing(cast: Cast, client: WebClient) -> None:
    client.force_login(cast.alice)
    post(client, "comment", comment="Secret of Contoso.")
    made = intents(cast.contoso)[0]
    client.force_login(cast.charlie)
    assert "There is no such incident among yours." in post(client, "comment", comment="x", key="mine").text
    for path, form in (
        ("undo/", {"key": "key-1"}),
        ("settle/", {"change": made.pk, "choice": "mine"}),
        ("again/", {"change": made.pk}),
        ("cancel/", {"change": "x"}),
        ("settle/", {"change": made.pk, "choice": "both"}),
    ):
        assert client.post(f"{FORM}{path}", form, headers=PART).status_code == 404, path
    assert "nothing left to take back" in client.post(f"{FORM}cancel/", {"change": made.pk}, headers=PART).text
    assert client.get("/incidents/contoso/7/decision/").status_code == 404
    assert "Secret" not in client.get("/incidents/my-changes/?decision=key-1").text
    shown = client.get(FORM, {"do": "comment", "incident": "contoso:7"}).text
    assert "Of Contoso" not in shown
    assert "There is no such incident among yours." in shown
    assert intents(cast.contoso)[0].state == IntentState.QUEUED


def test_without_an_audit_log_nothing_is_decided(
    analyst: WebClient, cast: Cast, audit_fails: Callable[[], Any]
) -> None:
    analyst.raise_request_exception = False
    with audit_fails():
        assert post(analyst, "comment", comment="x").status_code == 500
    assert intents(cast.contoso) == []
    post(analyst, "comment", comment="x")
    assert AuditEvent.objects.filter(action="decide", actor__contains="Alice").count() == 1


def test_the_undo_button_carries_its_end(analyst: WebClient) -> None:
    with time_machine.travel(timezone.now(), tick=False):
        until = (timezone.now() + timedelta(seconds=10)).isoformat(timespec="milliseconds")
        assert f'data-until="{until}"' in post(analyst, "assign-to-me").text


@pytest.mark.parametrize("payload", HOSTILE)
def test_f33_hostile_text_stays_text_in_notes_forms_and_lists(analyst: WebClient, cast: Cast, payload: str) -> None:
    change(cast.contoso, 7, name=payload.replace("\x00", ""), assigned_to=payload)
    with scope.tenant(cast.contoso.pk):
        made = Incident.objects.get(tenant=cast.contoso, number=7)
        IncidentTag.objects.create(tenant=cast.contoso, incident=made, tag=payload)
    for do in ("assign", "tags", "status"):
        assert_harmless(analyst.get(FORM, {"do": do, "incident": "contoso:7"}, headers=PART).content)
    post(analyst, "tags", add_tags=payload.replace(",", ""))
    post(analyst, "comment", comment=payload, key="key-2")
    for page in ("/incidents/my-changes/", "/incidents/contoso/7/", "/incidents/"):
        assert_harmless(analyst.get(page).content)
