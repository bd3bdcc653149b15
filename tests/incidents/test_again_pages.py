"""Deciding once more: what was refused, and what was merged before or since."""

import json
import re

import pytest

from incidents.models import Assignee, Intent, IntentState, Status
from tenants import scope
from tests.cast import NOW, Cast, make_cast, make_incident
from tests.conftest import WebClient
from tests.incidents.forms import FORM, PART, change, intents, post
from tests.incidents.pages import read

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    cast = make_cast()
    make_incident(cast.contoso, 7)
    make_incident(cast.contoso, 8)
    Assignee.objects.create(user=cast.alice, address="alice@mssp.example")
    return cast


def test_a_merged_incident_asks_whether_the_change_goes_to_the_other(analyst: WebClient, cast: Cast) -> None:
    change(cast.contoso, 8, status=Status.REDIRECTED, redirect_number=7, is_open=False)
    assert "the change goes to" in read(analyst.get(FORM, {"do": "status", "incident": "contoso:8"}).content).text
    answer = post(analyst, "status", "contoso:8", status="in-progress")
    assert "#8 goes to #7" in read(answer.content).text
    assert json.loads(answer.headers["HX-Trigger"])["decided"]["open"] is True
    assert intents(cast.contoso) == []
    # The form that is shown then sends the same decision on, with the confirmation.
    hidden = dict(re.findall(r'name="(do|status|incident|to_merged)" value="([^"]+)"', answer.text))
    confirmed = analyst.post(FORM, hidden | {"key": "key-2"}, headers=PART)
    assert "Status In progress: 1 incident" in read(confirmed.content).text
    assert [(one.number, one.asked_number) for one in intents(cast.contoso)] == [(7, 8)]


def test_a_refused_change_is_tried_again_once_however_often_it_is_asked(analyst: WebClient, cast: Cast) -> None:
    post(analyst, "tags", add_tags="vip, scanner")
    with scope.tenant(cast.contoso.pk):
        Intent.objects.update(state=IntentState.EXCEEDED, code="transient", due_at=None, settled_at=NOW)
    failed = intents(cast.contoso)[0]
    assert "Try again" in analyst.get("/incidents/my-changes/").text
    for _ in range(2):
        assert "on its way again" in analyst.post(f"{FORM}again/", {"change": failed.pk}, headers=PART).text
    assert [one.wanted for one in intents(cast.contoso, state=IntentState.QUEUED)] == [
        {"add": ["vip", "scanner"], "remove": []}
    ]


def test_trying_again_what_was_merged_meanwhile_asks_whether_it_goes_to_the_other(
    analyst: WebClient, cast: Cast
) -> None:
    post(analyst, "status", "contoso:8", status="resolved")
    with scope.tenant(cast.contoso.pk):
        Intent.objects.update(state=IntentState.REFUSED, code="rejected", due_at=None, settled_at=NOW)
    change(cast.contoso, 8, status=Status.REDIRECTED, redirect_number=7, is_open=False)
    failed = intents(cast.contoso)[0]
    asked = analyst.post(f"{FORM}again/", {"change": failed.pk}, headers=PART).text
    assert "Send it to #7" in asked
    assert intents(cast.contoso, state=IntentState.QUEUED) == []
    hidden = dict(re.findall(r'name="(change|to_merged)" value="([^"]+)"', asked))
    assert hidden == {"change": str(failed.pk), "to_merged": "7"}
    assert "Send it to #7" in analyst.post(f"{FORM}again/", hidden | {"to_merged": "9"}, headers=PART).text
    assert "Send it to #7" in analyst.post(f"{FORM}again/", {"change": failed.pk}).text, "without scripts too"
    for _ in range(2):
        assert "on its way again" in analyst.post(f"{FORM}again/", hidden, headers=PART).text
    assert [(one.number, one.asked_number) for one in intents(cast.contoso, state=IntentState.QUEUED)] == [(7, 8)]
