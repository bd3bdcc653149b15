"""What analysts decided, carried to the sandbox: each change once, nobody's value overwritten, every ending told."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from audit.models import AuditEvent
from incidents.models import Comment, IntentState
from incidents.signing import authors_of, unsigned
from incidents.triage import Target, seen_token
from sandbox.cast import Tenant as TheirTenant
from sandbox.world import World
from tenants import scope
from tenants.models import Grant, Tenant, TenantState
from tests.incidents.deciding import (
    carry,
    comments,
    decide,
    intents,
    patches,
    remote,
    settle,
    states,
    the_intent,
    wait_over,
)
from tests.incidents.synced import ours, sync, the

pytestmark = pytest.mark.django_db


def test_a_decision_reaches_microsoft_in_one_write_and_the_next_sync_confirms_it(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    decide(
        alice, ("contoso", number), status="resolved", classification="TruePositive", determination="CompromisedUser",
        add_tags=("ours",), comment="Reset the password.",
    )  # fmt: skip
    carry()
    assert {state for _, state in states(contoso)} == {"sent"}
    assert patches(world) == 1
    now = remote(theirs, number)
    assert (now["status"], now["classification"], now["determination"]) == (
        "Resolved",
        "TruePositive",
        "CompromisedUser",
    )
    assert now["tags"] == ["theirs", "ours"]
    sync(contoso)
    assert {state for _, state in states(contoso)} == {"confirmed"}
    assert patches(world) == 1


def test_nothing_leaves_before_the_time_for_undoing_is_over(
    world: World, contoso: Tenant, alice: User, number: int
) -> None:
    decide(alice, ("contoso", number), now=timezone.now(), status="resolved")
    assert carry() == 0
    assert (states(contoso), patches(world)) == ([("status", "queued")], 0)


def test_f57_sync_f42_what_somebody_else_changed_meanwhile_is_a_conflict_with_both_values(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    decide(alice, ("contoso", number), status="resolved", comment="Done.")
    world.change_incident(theirs, number, {"status": "InProgress", "assignedTo": "someone@contoso.com"})
    carry()
    found = the_intent(contoso)
    assert (found.state, found.seen, found.wanted, found.remote) == ("conflict", "active", "resolved", "in-progress")
    assert remote(theirs, number)["status"] == "InProgress"
    assert the_intent(contoso, "comment").state == "sent", "a comment adds to what is there and is in nobody's way"
    assert the(contoso, number).remote_status == "InProgress", "our copy shows what Microsoft has"


def test_a_conflict_is_settled_by_a_person_who_has_seen_both_values(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    decide(alice, ("contoso", number), status="resolved", assigned_to="")
    world.change_incident(theirs, number, {"status": "InProgress"})
    carry()
    answer = settle(alice, the_intent(contoso), "mine")
    assert answer.code == ""
    assert (the_intent(contoso).state, the_intent(contoso).seen) == ("queued", "in-progress")
    wait_over(contoso)
    carry()
    assert remote(theirs, number)["status"] == "Resolved"


def test_a_conflict_may_be_left_to_the_other_hand(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    decide(alice, ("contoso", number), status="resolved")
    world.change_incident(theirs, number, {"status": "InProgress"})
    carry()
    settle(alice, the_intent(contoso), "theirs")
    assert carry() == 0
    assert (the_intent(contoso).state, remote(theirs, number)["status"]) == ("cancelled", "InProgress")


def test_a_conflict_that_changed_once_more_is_one_again(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    decide(alice, ("contoso", number), status="resolved", comment="x")
    world.change_incident(theirs, number, {"status": "InProgress"})
    carry()
    settle(alice, the_intent(contoso), "mine")
    world.change_incident(theirs, number, {"status": "Redirected2"})
    wait_over(contoso)
    carry()
    assert (the_intent(contoso).state, the_intent(contoso).remote) == ("conflict", "Redirected2")


def test_what_stands_there_already_is_confirmed_without_a_write(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    decide(alice, ("contoso", number), status="resolved", add_tags=("ours",))
    world.change_incident(theirs, number, {"status": "Resolved", "tags": ["ours", "theirs"]})
    carry()
    assert states(contoso) == [("status", "confirmed"), ("tags", "confirmed")]
    assert patches(world) == 0


def test_tags_are_added_to_what_is_there_now_and_taken_from_it(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    decide(alice, ("contoso", number), add_tags=("ours",), remove_tags=("theirs",))
    world.change_incident(theirs, number, {"tags": ["theirs", "new-one"]})
    carry()
    assert remote(theirs, number)["tags"] == ["new-one", "ours"]


@pytest.mark.parametrize(
    "text", ['He said "stop"', "line one\nline two", "back\\slash {json: 1}", "ünïcödé – 漢字 🛑", "'; --"]
)
def test_f59_a_comment_arrives_as_it_was_written_and_nothing_else_changes(
    theirs: TheirTenant, contoso: Tenant, alice: User, number: int, text: str
) -> None:
    before = dict(remote(theirs, number))
    decide(alice, ("contoso", number), comment=text)
    carry()
    after = dict(remote(theirs, number))
    assert unsigned(after["comments"][-1]["comment"]) == (text, the_intent(contoso, "comment").mark)
    changed = {key for key in after if after[key] != before.get(key)}
    assert changed == {"comments", "lastUpdateTime"}


def test_f59_f60_a_write_names_changed_fields_only_so_nothing_is_reopened_or_unassigned(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    decide(alice, ("contoso", number), add_tags=("seen",))
    world.change_incident(theirs, number, {"status": "Resolved", "assignedTo": "someone@contoso.com"})
    carry()
    now = remote(theirs, number)
    assert (now["status"], now["assignedTo"], now["tags"]) == ("Resolved", "someone@contoso.com", ["theirs", "seen"])


def test_f62_taking_an_incident_from_everybody_is_said_outright(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    world.change_incident(theirs, number, {"assignedTo": "someone@contoso.com"})
    sync(contoso)
    decide(alice, ("contoso", number), assigned_to="")
    carry()
    assert not remote(theirs, number)["assignedTo"]
    sync(contoso)
    assert (the_intent(contoso, "assigned_to").state, the(contoso, number).assigned_to) == ("confirmed", None)


def test_f61_sync_f41_our_own_change_comes_back_and_makes_no_second_one(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    decide(alice, ("contoso", number), status="in-progress", comment="Looking.")
    carry()
    for _ in range(3):
        sync(contoso)
        wait_over(contoso)
        carry()
    assert (patches(world), len(comments(theirs, number))) == (1, 1)
    with scope.tenant(contoso.pk):
        (mine,) = Comment.objects.filter(incident__number=number)
        text, mark = unsigned(mine.text)
        assert (text, authors_of(the(contoso, number))[mark]) == ("Looking.", ("Alice", "Looking."))


def test_f58_sync_f39_a_write_to_an_incident_merged_meanwhile_waits_for_the_analysts_word(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    target = next(n for n in theirs.book.ids() if n != number and remote(theirs, n)["status"] == "Active")
    decide(alice, ("contoso", number), status="in-progress", comment="Mine.")
    world.merge(theirs, number, target)
    carry()
    assert states(contoso) == [("status", "conflict"), ("comment", "conflict")]
    assert patches(world) == 0
    assert {(one.code, one.remote) for one in intents(contoso)} == {("merged", target)}
    sync(contoso)
    for intent in intents(contoso):
        assert settle(alice, intent, "mine").code == ""
    wait_over(contoso)
    carry()
    assert remote(theirs, target)["status"] == "InProgress"
    assert len(comments(theirs, target)) == 1
    assert {(one.number, one.asked_number) for one in intents(contoso)} == {(target, number)}


def test_f58_a_merged_incident_is_written_to_at_the_end_of_its_chain_once_that_is_confirmed(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    second, third = [n for n in theirs.book.ids() if n != number and remote(theirs, n)["status"] == "Active"][:2]
    world.merge(theirs, number, second)
    world.merge(theirs, second, third)
    sync(contoso)
    (asked,) = decide(alice, ("contoso", number), comment="To whom?", key="first").answers
    assert (asked.code, asked.merged_into) == ("merged", third)
    decide(alice, Target("contoso", number, to_merged=third), comment="To the last.", key="second")
    carry()
    assert len(comments(theirs, third)) == 1
    assert comments(theirs, number) == comments(theirs, second) == []


def test_rights_are_looked_at_again_when_a_change_is_sent(
    world: World, contoso: Tenant, alice: User, number: int
) -> None:
    decide(alice, ("contoso", number), status="resolved")
    Grant.objects.filter(user=alice).delete()
    carry()
    found = the_intent(contoso)
    assert (found.state, found.code, patches(world)) == ("refused", "not-allowed", 0)
    assert "Alice may not change" in found.detail


def test_a_person_who_may_not_sign_in_any_more_changes_nothing(
    world: World, contoso: Tenant, alice: User, number: int
) -> None:
    decide(alice, ("contoso", number), comment="Bye.")
    User.objects.filter(pk=alice.pk).update(is_active=False)
    carry()
    assert (the_intent(contoso, "comment").state, patches(world)) == ("refused", 0)


def test_a_disconnected_tenant_keeps_its_changes_until_it_is_connected_again(
    world: World, contoso: Tenant, alice: User, number: int
) -> None:
    decide(alice, ("contoso", number), status="resolved")
    with scope.operations():
        Tenant.objects.filter(pk=contoso.pk).update(state=TenantState.CONSENT_LOST)
    carry()
    assert (the_intent(contoso).state, world.calls.last and patches(world)) == ("held", 0)
    with scope.operations():
        Tenant.objects.filter(pk=contoso.pk).update(state=TenantState.CONNECTED)
    wait_over(contoso)
    carry()
    assert (the_intent(contoso).state, patches(world)) == ("sent", 1)


def test_the_audit_log_tells_how_each_change_ended_and_for_whom(contoso: Tenant, alice: User, number: int) -> None:
    decide(alice, ("contoso", number), status="resolved", comment="Secret words.")
    carry()
    told = AuditEvent.objects.filter(action="change sent", actor="worker")
    assert {(event.details["field"], event.details["for"]) for event in told} == {
        ("status", alice.pk),
        ("comment", alice.pk),
    }
    assert "Secret" not in str([event.details for event in AuditEvent.objects.all()])


def test_one_tenants_token_is_used_for_its_own_changes_only(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    """The same number exists in both tenants."""
    fabrikam = ours(world.tenant("Fabrikam"))
    sync(fabrikam)
    other = world.tenant("Fabrikam")
    before = dict(other.book.truth())
    decide(alice, ("contoso", number), ("fabrikam", number), status="resolved")
    carry()
    assert remote(theirs, number)["status"] == "Resolved"
    assert other.book.truth() == before


def test_the_page_may_have_shown_an_older_value_than_our_copy(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    token = seen_token(the(contoso, number))
    world.change_incident(theirs, number, {"status": "InProgress"})
    sync(contoso)
    (answer,) = decide(alice, Target("contoso", number, seen=token), status="resolved").answers
    assert answer.code == "conflict"
    assert "you saw Active, now it is In progress" in answer.sentence
    carry()
    assert remote(theirs, number)["status"] == "InProgress"
    assert the_intent(contoso).state == IntentState.CONFLICT
    assert timedelta() < timezone.now() - the_intent(contoso).decided_at
