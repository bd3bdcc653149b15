"""A change that failed, decided once more: on what its person saw, and as often as it comes to nothing."""

from typing import Any

import pytest

from incidents import triage
from incidents.again import again
from incidents.decisions import Answer, Target, token_of_field
from incidents.models import Incident, Intent, IntentState, Status
from incidents.pending import batches_for
from tenants import scope
from tenants.models import Grant, Tenant, TenantState
from tests.cast import NOW, Cast, make_cast, make_incident
from tests.incidents.deciding import BY, at_work, decide, intents

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    cast = make_cast()
    make_incident(cast.contoso, 7)
    return cast


def failed(cast: Cast, **decision: Any) -> Intent:
    """Alice's change, given up after too many tries."""
    decide(cast.alice, ("contoso", 7), now=NOW, **decision)
    with scope.tenant(cast.contoso.pk):
        Intent.objects.update(state=IntentState.EXCEEDED, code="transient", due_at=None, settled_at=NOW)
    (found,) = intents(cast.contoso)
    return found


def try_again(cast: Cast, intent: Intent) -> Answer:
    with at_work(cast.alice):
        answer = again(user=cast.alice, by=BY, intent=intent.pk, now=NOW)
    assert answer is not None
    return answer


@pytest.mark.parametrize(
    ("decision", "colleagues"),
    [
        ({"status": "resolved"}, {"status": Status.IN_PROGRESS, "remote_status": "InProgress"}),
        ({"assigned_to": ""}, {"assigned_to": "dora@example.com"}),
        (
            {"classification": "FalsePositive", "determination": "Clean"},
            {"classification": "TruePositive", "determination": "Malware"},
        ),
    ],
)
def test_what_a_colleague_set_since_is_not_overwritten_by_trying_an_older_change_again(
    cast: Cast, decision: dict[str, Any], colleagues: dict[str, Any]
) -> None:
    with scope.tenant(cast.contoso.pk):
        Incident.objects.update(assigned_to="alice@example.com")
    old = failed(cast, **decision)
    with scope.tenant(cast.contoso.pk):
        Incident.objects.update(**colleagues)
    answer = try_again(cast, old)
    assert answer.code == "conflict"
    assert [(one.state, one.seen) for one in answer.intents] == [("conflict", old.seen)]


def test_what_stands_as_it_was_seen_goes_again(cast: Cast) -> None:
    old = failed(cast, status="resolved")
    assert [(one.state, one.seen) for one in try_again(cast, old).intents] == [("queued", "active")]


def test_a_try_that_was_refused_is_no_answer_for_ever(cast: Cast) -> None:
    old = failed(cast, comment="Known scanner.")
    with scope.operations():
        Tenant.objects.filter(pk=cast.contoso.pk).update(state=TenantState.CONSENT_LOST)
    assert try_again(cast, old).code == "read-only"
    with scope.operations():
        Tenant.objects.filter(pk=cast.contoso.pk).update(state=TenantState.CONNECTED)
    assert [one.state for one in try_again(cast, old).intents] == ["queued"]
    assert [one.state for one in try_again(cast, old).intents] == ["queued"]
    assert [one.state for one in intents(cast.contoso)] == ["exceeded", "queued"]


def test_a_try_that_was_taken_back_can_be_made_again(cast: Cast) -> None:
    old = failed(cast, comment="Known scanner.")
    (first,) = try_again(cast, old).intents
    with at_work(cast.alice):
        triage.cancel(user=cast.alice, by=BY, intents=[first.pk], now=NOW)
    (second,) = try_again(cast, old).intents
    assert (second.state, second.pk == first.pk) == ("queued", False)


def test_what_was_not_decided_is_not_told_any_more_once_the_tenant_is_out_of_sight(cast: Cast) -> None:
    with scope.tenant(cast.contoso.pk):
        Incident.objects.update(assigned_to="dora@example.com")
    token = token_of_field("assigned_to", "alice@example.com")
    decide(cast.alice, Target("contoso", 7, seen=token), ("contoso", 99), now=NOW, assigned_to="")
    with at_work(cast.alice):
        told = batches_for(cast.alice)[0].refused
    assert [(one["code"], "dora@" in one["sentence"]) for one in told] == [("conflict", True), ("not-found", False)]
    Grant.objects.filter(user=cast.alice).delete()
    with at_work(cast.alice):
        assert [one["code"] for one in batches_for(cast.alice)[0].refused] == ["not-found"]
