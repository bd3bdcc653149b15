"""The door through which people change incidents: what is decided, refused, taken back and chosen."""

import base64
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, models, transaction

from accounts.models import User
from accounts.roles import Role
from audit.models import AuditEvent
from defender.vocabulary import DETERMINATIONS, DETERMINATIONS_OF
from incidents import triage
from incidents.models import Delivery, Incident, Intent, Status
from incidents.triage import Bulk, Target, seen_token
from tenants import scope
from tenants.models import SYNCING, TenantState
from tests.cast import NOW, Cast, make_cast, make_incident, make_person
from tests.incidents import deciding
from tests.incidents.deciding import BY, at_work, intents, settle

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    cast = make_cast()
    for tenant in (cast.contoso, cast.fabrikam, cast.northwind):
        make_incident(tenant, 7)
        make_incident(tenant, 8)
    return cast


def decide(user: User, *targets: Target | tuple[str, int], **decision: Any) -> Bulk:
    """At the moment of the story."""
    return deciding.decide(user, *targets, **{"now": NOW, **decision})


def test_a_decision_leaves_one_row_per_change_that_is_due_when_the_time_for_undoing_is_over(cast: Cast) -> None:
    done = decide(
        cast.alice, ("contoso", 7), status="resolved", classification="FalsePositive", determination="Clean",
        comment="Known scanner.", add_tags=("scanner",),
    )  # fmt: skip
    assert [answer.code for answer in done.answers] == [""]
    made = {one.field: one for one in intents(cast.contoso)}
    assert {field: one.wanted for field, one in made.items()} == {
        "status": "resolved",
        "classification": ["FalsePositive", "Clean"],
        "tags": {"add": ["scanner"], "remove": []},
        "comment": "Known scanner.",
    }
    assert {one.due_at for one in made.values()} == {NOW + timedelta(seconds=10)}
    assert made["comment"].mark and made["comment"].initials == "A"
    assert made["status"].seen == "active"
    with scope.operations():
        assert Delivery.objects.get(tenant=cast.contoso).due_at == NOW + timedelta(seconds=10)


def test_a_decision_is_in_the_audit_log_without_what_somebody_typed(cast: Cast) -> None:
    decide(cast.alice, ("contoso", 7), status="resolved", comment="Known scanner.")
    events = list(AuditEvent.objects.filter(action="decide").order_by("id"))
    assert [(event.subject, event.tenant, event.actor) for event in events] == [
        ("incident 7", cast.contoso.entra_id, BY.name)
    ] * 2
    assert events[0].details["value"] == "resolved"
    assert "scanner" not in str([event.details for event in events])


PAIRS = [(first, second) for first in DETERMINATIONS_OF for second in DETERMINATIONS]


@pytest.mark.parametrize(("classification", "determination"), PAIRS)
def test_only_pairs_that_microsoft_takes_are_decided(cast: Cast, classification: str, determination: str) -> None:
    done = decide(cast.alice, ("contoso", 7), classification=classification, determination=determination)
    is_valid = determination in DETERMINATIONS_OF[classification]
    assert done.answers[0].code == ("" if is_valid else "invalid")
    assert len(intents(cast.contoso)) == int(is_valid)


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        ({}, "Choose what is to be changed."),
        ({"comment": " \n "}, "Choose what is to be changed."),
        ({"status": "redirected"}, "The status must be one of"),
        ({"status": "Active"}, "The status must be one of"),
        ({"classification": "TruePositive"}, "always set together"),
        ({"determination": "Malware"}, "always set together"),
        ({"classification": "Unknown", "determination": "NotAvailable"}, "The classification must be one of"),
        ({"add_tags": ("x" * 256,)}, "A tag has at most 255 characters."),
        ({"add_tags": tuple(map(str, range(21)))}, "At most 20 tags"),
        ({"add_tags": ("a",), "remove_tags": ("a",)}, "cannot be added and removed at once"),
        ({"comment": "x" * 4001}, "this one has 4,001"),
        ({"assigned_to": "", "assignee": 1}, "not both"),
    ],
)
def test_what_makes_no_sense_gets_a_sentence_and_decides_nothing(
    cast: Cast, decision: dict[str, Any], words: str
) -> None:
    done = decide(cast.alice, ("contoso", 7), **decision)
    assert done.batch is None and done.answers[0].code == "invalid"
    assert words in done.answers[0].sentence
    assert intents(cast.contoso) == []


@pytest.mark.parametrize("key", ["", "x" * 65])
def test_a_decision_needs_a_key_of_its_own(cast: Cast, key: str) -> None:
    assert decide(cast.alice, ("contoso", 7), key=key, status="resolved").answers[0].code == "invalid"


def test_the_same_key_is_the_same_decision_however_often_it_comes(cast: Cast) -> None:
    first = decide(cast.alice, ("contoso", 7), ("contoso", 99), comment="Once.")
    again = decide(cast.alice, ("contoso", 7), ("contoso", 99), comment="Once.")
    assert (first.is_repeat, again.is_repeat) == (False, True)
    assert [(one.code, one.sentence) for one in again.answers] == [(one.code, one.sentence) for one in first.answers]
    assert [one.pk for one in again.answers[0].intents] == [one.pk for one in first.answers[0].intents]
    assert len(intents(cast.contoso)) == 1


def test_a_repeated_decision_tells_what_has_become_of_it(cast: Cast) -> None:
    first = decide(cast.alice, ("contoso", 7), comment="Once.")
    undo(cast.alice, first)
    assert decide(cast.alice, ("contoso", 7), comment="Once.").answers[0].intents[0].state == "cancelled"


def test_a_key_that_was_used_for_something_else_decides_nothing(cast: Cast) -> None:
    decide(cast.alice, ("contoso", 7), comment="Once.")
    assert decide(cast.alice, ("contoso", 8), comment="Once.").answers[0].code == "key-used"
    assert len(intents(cast.contoso)) == 1


def test_two_people_may_use_the_same_key(cast: Cast) -> None:
    decide(cast.alice, ("contoso", 7), comment="Alice's.")
    assert decide(cast.charlie, ("northwind", 7), comment="Charlie's.").answers[0].code == ""
    assert (len(intents(cast.contoso)), len(intents(cast.northwind))) == (1, 1)


def test_outsiders_are_told_the_same_as_of_nothing_and_readers_what_they_lack(cast: Cast) -> None:
    answers = decide(cast.charlie, ("contoso", 7), ("contoso", 99), ("nowhere", 1), status="resolved").answers
    assert {(one.code, one.sentence, one.step) for one in answers} == {
        ("not-found", "There is no such incident among yours.", "")
    }
    (answer,) = decide(cast.bob, ("contoso", 7), status="resolved").answers
    assert (answer.code, "may read" in answer.sentence) == ("not-allowed", True)
    assert intents(cast.contoso) == []
    assert AuditEvent.objects.filter(action="decide", outcome="denied").count() == 4


def test_one_of_many_that_is_refused_keeps_no_other_from_going(cast: Cast) -> None:
    done = decide(cast.alice, ("contoso", 7), ("northwind", 7), ("fabrikam", 8), status="resolved")
    assert [one.code for one in done.answers] == ["", "not-found", ""]
    assert (len(done.accepted), len(done.refused)) == (2, 1)
    assert [len(intents(tenant)) for tenant in (cast.contoso, cast.northwind, cast.fabrikam)] == [1, 0, 1]


def test_no_audit_no_decision(cast: Cast, audit_fails: Callable[[], AbstractContextManager[None]]) -> None:
    with audit_fails(), pytest.raises(DatabaseError):
        decide(cast.alice, ("contoso", 7), status="resolved")
    assert intents(cast.contoso) == []


def test_a_hundred_incidents_cost_no_more_statements_than_two(cast: Cast, django_assert_max_num_queries: Any) -> None:
    for number in range(100, 150):
        make_incident(cast.contoso, number)
        make_incident(cast.fabrikam, number)
    chosen = [(slug, number) for slug in ("contoso", "fabrikam") for number in range(100, 150)]
    with django_assert_max_num_queries(32):
        done = decide(cast.alice, *chosen, status="resolved", comment="Wave.", add_tags=("wave",))
    assert len(done.accepted) == 100


def test_what_is_that_way_already_is_left_alone(cast: Cast) -> None:
    assert decide(cast.alice, ("contoso", 7), status="active").answers[0].code == "nothing-to-change"
    assert intents(cast.contoso) == []


def test_a_second_decision_sees_the_first_although_it_is_still_on_its_way(cast: Cast) -> None:
    decide(cast.alice, ("contoso", 7), status="in-progress", key="first")
    decide(cast.alice, ("contoso", 7), status="resolved", key="second")
    assert decide(cast.alice, ("contoso", 7), status="resolved", key="third").answers[0].code == "nothing-to-change"
    assert [(one.seen, one.wanted) for one in intents(cast.contoso)] == [
        ("active", "in-progress"),
        ("in-progress", "resolved"),
    ]


def test_taking_the_first_back_leaves_the_second_on_what_stood_before(cast: Cast) -> None:
    first = decide(cast.alice, ("contoso", 7), status="in-progress", key="first")
    decide(cast.alice, ("contoso", 7), status="resolved", key="second")
    undo(cast.alice, first)
    assert [(one.seen, one.state) for one in intents(cast.contoso)] == [("active", "cancelled"), ("active", "queued")]


def test_what_the_page_showed_is_compared_with_what_stands_there_now(cast: Cast) -> None:
    token = token_of(cast, 7)
    with scope.tenant(cast.contoso.pk):
        Incident.objects.filter(number=7).update(status=Status.IN_PROGRESS, remote_status="InProgress")
    (answer,) = decide(cast.alice, Target("contoso", 7, seen=token), status="resolved", comment="Mine.").answers
    assert answer.code == "conflict"
    assert [(one.field, one.state) for one in answer.intents] == [("status", "conflict"), ("comment", "queued")]
    conflict = answer.intents[0]
    assert (conflict.seen, conflict.remote, conflict.wanted) == ("active", "in-progress", "resolved")


# What no column can hold: NUL and half a character.
UNSTORABLE = [base64.urlsafe_b64encode(f'["a","\\u{code}","",""]'.encode()).decode() for code in ("0000", "d800")]


@pytest.mark.parametrize("token", ["nonsense", "e30", "WzEsMiwzLDRd", "é", "A" * 10_000, "W10", "bnVsbA", *UNSTORABLE])
def test_a_token_that_is_none_says_nothing_and_harms_nothing(cast: Cast, token: str) -> None:
    (answer,) = decide(cast.alice, Target("contoso", 7, seen=token), status="resolved").answers
    assert answer.code == ""


def test_a_later_decision_takes_the_place_of_a_conflict_whosever_it_is(cast: Cast) -> None:
    token = token_of(cast, 7)
    with scope.tenant(cast.contoso.pk):
        Incident.objects.filter(number=7).update(status=Status.IN_PROGRESS, remote_status="InProgress")
    decide(cast.alice, Target("contoso", 7, seen=token), status="resolved", key="first")
    dora = make_person("dora", (cast.contoso, Role.ANALYST))
    decide(dora, ("contoso", 7), status="resolved", key="second")
    assert [(one.state, one.code) for one in intents(cast.contoso)] == [("cancelled", "overtaken"), ("queued", "")]


def undo(user: User, made: Bulk) -> Any:
    assert made.batch is not None
    with at_work(user):
        return triage.undo(user=user, by=BY, batch=made.batch, now=NOW)


def token_of(cast: Cast, number: int) -> str:
    with scope.tenant(cast.contoso.pk):
        return seen_token(Incident.objects.get(number=number))


def test_undo_takes_back_all_of_a_decision_and_nobody_elses(cast: Cast) -> None:
    made = decide(cast.alice, ("contoso", 7), ("fabrikam", 7), status="resolved", comment="Oops.")
    dora = make_person("dora", (cast.contoso, Role.ANALYST))
    assert len(undo(dora, made).cancelled) == 0
    assert len(undo(cast.alice, made).cancelled) == 4
    assert {one.state for one in (*intents(cast.contoso), *intents(cast.fabrikam))} == {"cancelled"}
    assert AuditEvent.objects.filter(action="take back change").count() == 4


def test_a_colleague_may_take_back_what_waits_in_a_tenant_they_triage(cast: Cast) -> None:
    decide(cast.alice, ("contoso", 7), status="resolved")
    dora = make_person("dora", (cast.contoso, Role.ANALYST))
    (waiting,) = intents(cast.contoso)
    for nobody in (cast.bob, cast.charlie):
        with at_work(nobody):
            assert triage.cancel(user=nobody, by=BY, intents=[waiting.pk], now=NOW).cancelled == []
    with at_work(dora):
        assert len(triage.cancel(user=dora, by=BY, intents=[waiting.pk], now=NOW).cancelled) == 1
    assert intents(cast.contoso)[0].detail == "Taken back by Dora."


def test_a_conflict_can_be_sent_again_only_by_whoever_decided_it(cast: Cast) -> None:
    token = token_of(cast, 7)
    with scope.tenant(cast.contoso.pk):
        Incident.objects.filter(number=7).update(status=Status.IN_PROGRESS, remote_status="InProgress")
    decide(cast.alice, Target("contoso", 7, seen=token), status="resolved")
    (found,) = intents(cast.contoso)
    dora = make_person("dora", (cast.contoso, Role.ANALYST))
    assert settle(dora, found, "mine").code == "not-yours"
    assert settle(cast.charlie, found, "theirs").code == settle(cast.bob, found, "theirs").code == "not-found"
    assert settle(cast.alice, found, "mine").code == ""
    assert settle(cast.alice, found, "mine").code == "too-late"


def test_a_merged_incident_asks_first_and_a_circle_leads_nowhere(cast: Cast) -> None:
    merge(cast, 7, 8)
    (asked,) = decide(cast.alice, ("contoso", 7), status="resolved", key="first").answers
    assert (asked.code, asked.merged_into, intents(cast.contoso)) == ("merged", 8, [])
    (answer,) = decide(cast.alice, Target("contoso", 7, to_merged=8), status="resolved", key="second").answers
    assert [(one.number, one.asked_number) for one in answer.intents] == [(8, 7)]
    merge(cast, 8, 7)
    (circle,) = decide(cast.alice, Target("contoso", 7, to_merged=8), comment="x", key="third").answers
    assert (circle.code, circle.merged_into) == ("merged", None)


def test_a_merged_incident_chosen_first_does_not_hide_what_was_seen_of_the_other(cast: Cast) -> None:
    merge(cast, 7, 8)
    with scope.tenant(cast.contoso.pk):
        token = seen_token(Incident.objects.get(number=8))
        Incident.objects.filter(number=8).update(status=Status.RESOLVED, remote_status="Resolved")
    targets = [Target("contoso", 7, to_merged=8), Target("contoso", 8, seen=token)]
    done = decide(cast.alice, *targets, status="in-progress")
    assert [one.target for one in done.answers] == targets
    assert [one.state for one in intents(cast.contoso)] == ["conflict"]


def test_what_was_seen_fits_into_its_token_in_any_letters(cast: Cast) -> None:
    with scope.tenant(cast.contoso.pk):
        Incident.objects.filter(number=7).update(assigned_to="\U0001f600" * 256)
        token = seen_token(Incident.objects.get(number=7))
        Incident.objects.filter(number=7).update(status=Status.RESOLVED, remote_status="Resolved")
    assert len(token) < 2_000
    assert decide(cast.alice, Target("contoso", 7, seen=token), status="in-progress").answers[0].code == "conflict"


def test_a_yes_to_one_incident_is_no_yes_to_another(cast: Cast) -> None:
    make_incident(cast.contoso, 9)
    merge(cast, 7, 8)
    merge(cast, 8, 9)
    (asked,) = decide(cast.alice, Target("contoso", 7, to_merged=8), status="resolved").answers
    assert (asked.code, asked.merged_into, intents(cast.contoso)) == ("merged", 9, [])


def test_what_was_merged_once_more_is_asked_about_again_and_goes_where_the_person_said(cast: Cast) -> None:
    make_incident(cast.contoso, 9)
    decide(cast.alice, ("contoso", 7), status="resolved")
    with scope.tenant(cast.contoso.pk):
        Intent.objects.update(state="conflict", code="merged", remote=8, due_at=None)
    merge(cast, 7, 8)
    merge(cast, 8, 9)
    (found,) = intents(cast.contoso)
    answer = settle(cast.alice, found, "mine")
    assert (answer.code, answer.merged_into) == ("merged", 9)
    (found,) = intents(cast.contoso)
    assert (found.number, found.state, found.remote) == (7, "conflict", 9)
    assert "incident 9" in found.detail and "incident 9" in found.step
    assert settle(cast.alice, found, "mine").code == ""
    assert [(one.number, one.asked_number) for one in intents(cast.contoso)] == [(9, 7)]


def test_a_merged_incident_and_its_target_chosen_together_are_changed_once(cast: Cast) -> None:
    merge(cast, 7, 8)
    done = decide(cast.alice, Target("contoso", 7, to_merged=8), ("contoso", 8), comment="Once.")
    assert [one.code for one in done.answers] == ["", ""]
    assert len(intents(cast.contoso)) == 1


def merge(cast: Cast, number: int, target: int) -> None:
    with scope.tenant(cast.contoso.pk):
        Incident.objects.filter(number=number).update(
            status=Status.REDIRECTED, remote_status="Redirected", redirect_number=target, is_open=False
        )


@pytest.mark.parametrize("state", [one for one in TenantState if one not in SYNCING])
def test_a_tenant_that_is_not_connected_is_read_only_and_says_what_helps(cast: Cast, state: TenantState) -> None:
    with scope.operations():
        type(cast.contoso).objects.filter(pk=cast.contoso.pk).update(state=state)
    (answer,) = decide(cast.alice, ("contoso", 7), status="resolved").answers
    assert answer.code == "read-only"
    assert answer.sentence.startswith("Contoso is read-only: ")
    assert answer.step


def test_a_portal_that_asks_customers_for_no_triage_says_so(cast: Cast, settings: Any) -> None:
    settings.ASKED_CAPABILITIES = ["sync_incidents"]
    (answer,) = decide(cast.alice, ("contoso", 7), status="resolved").answers
    assert (answer.code, "PORTAL_CAPABILITIES" in answer.step) == ("read-only", True)


def test_the_database_lets_nobody_decide_in_anothers_name_or_without_the_role(cast: Cast) -> None:
    decide(cast.alice, ("contoso", 7), status="resolved")
    (made,) = intents(cast.contoso)
    for user in (cast.bob, cast.charlie):
        copy = Intent(**{f.attname: getattr(made, f.attname) for f in Intent._meta.concrete_fields if f.name != "id"})
        copy.number, copy.field = 7, "tags"
        for name in (user, cast.alice):
            copy.pk, copy.user = None, name
            with at_work(user), pytest.raises(DatabaseError), transaction.atomic():
                copy.save(force_insert=True)
    for user in (cast.bob, cast.charlie):
        with at_work(user):
            assert models.QuerySet(Intent).filter(pk=made.pk).update(code="mine") == 0
