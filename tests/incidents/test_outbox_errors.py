"""Whatever Microsoft answers to a change: what is tried again, what is kept, what is told, and nothing done twice."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from audit.record import WORKER
from incidents import outbox, outbox_endings, verdicts
from incidents.models import Delivery, IntentState
from incidents.writing import write_access
from sandbox.cast import Tenant as TheirTenant
from sandbox.world import World
from tenants import proof, scope, tokens
from tenants.models import Alarm, Budget, Tenant, TenantState
from tests.conftest import as_worker
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
from tests.incidents.synced import sync, the

pytestmark = pytest.mark.django_db


@pytest.fixture
def numbers(theirs: TheirTenant, contoso: Tenant) -> list[int]:
    """Incidents that are open and were not merged."""
    return [n for n in theirs.book.ids() if remote(theirs, n)["status"] == "Active"]


def reached(contoso: Tenant, *, turns: int = 20) -> str:
    """Carry, as if every wait were over, until nothing of it is on its way. Returns the last change's state."""
    for _ in range(turns):
        carry()
        state = intents(contoso)[-1].state
        if state not in {"queued", "sending", "uncertain", "held"}:
            return str(state)
        wait_over(contoso)
    raise AssertionError(states(contoso))


def proved(contoso: Tenant) -> None:
    """The check of the connection that is due after a refusal."""
    with as_worker(), scope.operations():
        tenant = Tenant.objects.get(pk=contoso.pk)
    with as_worker():
        proof.prove(tenant=tenant, by=WORKER, now=timezone.now())


@pytest.mark.parametrize("turn", range(20))
def test_sync_f37_a_write_that_was_applied_and_whose_answer_was_lost_is_found_and_not_sent_again(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, numbers: list[int], turn: int
) -> None:
    world.faults.add(theirs.tenant_id, {"kind": "cut", "share": turn / 20, "on": ["patch"], "count": 1})
    decide(alice, ("contoso", numbers[turn % len(numbers)]), status="resolved", comment="Once.")
    carry()
    assert {state for _, state in states(contoso)} == {"uncertain"}
    assert reached(contoso) == "confirmed"
    assert (patches(world), len(comments(theirs, numbers[turn % len(numbers)]))) == (1, 1)


def test_sync_f37_a_lost_answer_is_not_looked_up_before_microsoft_can_have_finished(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, numbers: list[int], settings: Any
) -> None:
    world.faults.add(theirs.tenant_id, {"kind": "cut", "on": ["patch"], "count": 1})
    decide(alice, ("contoso", numbers[0]), comment="Once.")
    before = timezone.now()
    carry()
    due = the_intent(contoso, "comment").due_at
    assert due is not None and due >= before + settings.TRIAGE_LOOK


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 503},
        {"kind": "html"},
        {"kind": "html", "status": 502},
        {"kind": "empty"},
        {"kind": "error_object"},
        {"kind": "cut"},
    ],
    ids=lambda fault: "-".join(str(part) for part in fault.values()),
)
@pytest.mark.parametrize("on", ["get", "patch"])
def test_what_passes_is_tried_again_and_the_comment_arrives_once(
    world: World,
    theirs: TheirTenant,
    contoso: Tenant,
    alice: User,
    numbers: list[int],
    fault: dict[str, Any],
    on: str,
) -> None:
    world.faults.add(theirs.tenant_id, {**fault, "on": [on], "count": 2})
    decide(alice, ("contoso", numbers[0]), status="resolved", comment="Once.")
    carry()
    assert the_intent(contoso).attempts == 1
    assert reached(contoso) in {"sent", "confirmed"}
    assert len(comments(theirs, numbers[0])) == 1
    assert remote(theirs, numbers[0])["status"] == "Resolved"


@pytest.mark.parametrize("on", ["get", "patch"])
def test_a_wait_that_microsoft_asks_for_is_kept_by_the_whole_tenant_and_counts_as_no_attempt(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, numbers: list[int], on: str
) -> None:
    world.faults.add(theirs.tenant_id, {"kind": "throttle", "seconds": 40, "on": [on], "count": 1})
    decide(alice, ("contoso", numbers[0]), ("contoso", numbers[1]), status="resolved")
    carry()
    first, second = intents(contoso)
    assert (first.state, first.attempts, second.state) == ("queued", 0, "queued")
    assert first.detail.startswith("Waiting for Microsoft until ")
    for one in (first, second):
        assert one.due_at is not None and one.due_at > timezone.now() + timedelta(seconds=35)
    with scope.operations():
        blocked = Budget.objects.get(tenant=contoso, verb=on).blocked_until
    assert blocked is not None and blocked > timezone.now() + timedelta(seconds=35)
    assert carry() == 0, "nobody asks before the wait is over"
    wait_over(contoso)
    carry()
    assert {state for _, state in states(contoso)} == {"sent"}


def test_a_spent_budget_puts_changes_off_and_asks_nobody(
    world: World, contoso: Tenant, alice: User, numbers: list[int]
) -> None:
    with scope.operations():
        far = timezone.now() + timedelta(seconds=62)
        Budget.objects.filter(tenant=contoso).delete()
        Budget.objects.create(
            tenant=contoso, verb="patch", minute_started_at=timezone.now(), hour_started_at=timezone.now(), paced_at=far
        )
    decide(alice, ("contoso", numbers[0]), status="resolved")
    carry()
    assert (the_intent(contoso).state, the_intent(contoso).attempts, patches(world)) == ("queued", 0, 0)


def test_sync_f38_a_refusal_for_want_of_the_role_switches_writing_off_with_its_reason(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, numbers: list[int]
) -> None:
    world.faults.add(theirs.tenant_id, {"kind": "status", "status": 403, "on": ["patch"]})
    decide(alice, ("contoso", numbers[0]), ("contoso", numbers[1]), status="resolved", key="first")
    carry()
    assert {state for _, state in states(contoso)} == {"refused"}
    assert patches(world) == 1, "once refused, nothing more is sent"
    (answer,) = decide(alice, ("contoso", numbers[2]), status="resolved", key="second").answers
    assert answer.code == "read-only"
    assert "connect link" in answer.step
    world.faults.clear(theirs.tenant_id)
    proved(contoso)
    (answer,) = decide(alice, ("contoso", numbers[2]), status="resolved", key="third").answers
    assert answer.code == "", "the next proof found the role, so writing may be tried again"


def test_a_tenant_without_the_role_is_read_only_and_says_how_to_get_it(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, numbers: list[int]
) -> None:
    world.approve(theirs, roles=["Incident.Read.All"])
    tokens.forget_everything()
    proved(contoso)
    (answer,) = decide(alice, ("contoso", numbers[0]), status="resolved").answers
    assert answer.code == "read-only"
    assert "Incident.ReadWrite.All" in answer.sentence
    assert "connect link" in answer.step
    assert intents(contoso) == []


def test_what_was_decided_before_the_role_went_is_refused_without_a_call(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, numbers: list[int]
) -> None:
    decide(alice, ("contoso", numbers[0]), status="resolved")
    world.approve(theirs, roles=["Incident.Read.All"])
    tokens.forget_everything()
    proved(contoso)
    carry()
    assert (the_intent(contoso).state, the_intent(contoso).code, patches(world)) == ("refused", "role-missing", 0)


def test_sync_f38_what_microsoft_will_not_take_is_refused_in_its_own_words(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, numbers: list[int]
) -> None:
    world.faults.add(theirs.tenant_id, {"kind": "status", "status": 400, "on": ["patch"]})
    decide(alice, ("contoso", numbers[0]), status="resolved")
    carry()
    found = the_intent(contoso)
    assert (found.state, patches(world)) == ("refused", 1)
    assert "A fault of the sandbox: 400." in found.detail
    assert found.reference
    assert the(contoso, numbers[0]).remote_status == "Active", "our copy shows what Microsoft has"


@pytest.mark.parametrize("status", [409, 412])
def test_sync_f38_a_change_that_came_between_is_looked_at_again(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, numbers: list[int], status: int
) -> None:
    world.faults.add(theirs.tenant_id, {"kind": "status", "status": status, "on": ["patch"], "count": 1})
    decide(alice, ("contoso", numbers[0]), status="resolved")
    carry()
    assert the_intent(contoso).state == "queued"
    world.change_incident(theirs, numbers[0], {"status": "InProgress"})
    assert reached(contoso) == "conflict"


def test_sync_f38_an_incident_that_is_gone_takes_no_change_and_is_marked(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, numbers: list[int]
) -> None:
    decide(alice, ("contoso", numbers[0]), status="resolved")
    world.vanish(theirs, numbers[0])
    carry()
    found = the_intent(contoso)
    assert (found.state, found.detail) == ("refused", "This incident is no longer in Defender.")
    assert the(contoso, numbers[0]).gone_at is not None


def test_consent_that_is_gone_holds_changes_and_gives_them_back(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, numbers: list[int]
) -> None:
    decide(alice, ("contoso", numbers[0]), ("contoso", numbers[1]), comment="Once.")
    world.revoke(theirs)
    tokens.forget_everything()
    carry()
    assert {state for _, state in states(contoso)} == {"held"}
    with scope.operations():
        assert Tenant.objects.get(pk=contoso.pk).state == TenantState.CONSENT_LOST
    asked = world.calls.last
    wait_over(contoso)
    carry()
    assert world.calls.last == asked, "no storm while there is no consent"
    world.approve(theirs)
    tokens.forget_everything()
    proved(contoso)
    assert reached(contoso) == "sent"
    assert [len(comments(theirs, number)) for number in numbers[:2]] == [1, 1]


def test_our_own_refused_credential_lets_every_tenant_wait_and_blames_none(
    world: World, contoso: Tenant, alice: User, numbers: list[int]
) -> None:
    decide(alice, ("contoso", numbers[0]), status="resolved")
    tokens.forget_everything()
    world.registration.rotate_secret(value="another", expire_old=True)
    carry()
    assert (the_intent(contoso).state, the_intent(contoso).attempts) == ("queued", 0)
    with scope.operations():
        assert Tenant.objects.get(pk=contoso.pk).state == TenantState.CONNECTED
    assert Alarm.objects.filter(key="partner-credential", cleared_at=None).exists()


def test_a_refused_token_is_replaced_once_without_anybody_noticing(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, numbers: list[int]
) -> None:
    world.faults.add(theirs.tenant_id, {"kind": "status", "status": 401, "on": ["patch"], "count": 1})
    decide(alice, ("contoso", numbers[0]), comment="Once.")
    carry()
    assert (the_intent(contoso, "comment").state, the_intent(contoso, "comment").attempts) == ("sent", 0)
    assert len(comments(theirs, numbers[0])) == 1


def test_what_fails_again_and_again_is_given_up_and_says_what_is_not_known(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, numbers: list[int]
) -> None:
    world.faults.add(theirs.tenant_id, {"kind": "status", "status": 503, "on": ["patch"]})
    decide(alice, ("contoso", numbers[0]), comment="Lost?")
    assert reached(contoso) == IntentState.EXCEEDED
    found = the_intent(contoso, "comment")
    assert patches(world) == outbox_endings.TRIES
    assert found.detail.endswith("It is not known whether it has arrived.")


def test_a_fault_of_the_portal_ends_one_change_with_a_reference_and_no_other(
    contoso: Tenant, alice: User, numbers: list[int], monkeypatch: pytest.MonkeyPatch, written_log: Any
) -> None:
    whole = verdicts.judge

    def broken(changes: Any, *args: Any) -> Any:
        if changes[0].number == numbers[0]:
            raise ZeroDivisionError
        return whole(changes, *args)

    monkeypatch.setattr(outbox, "judge", broken)
    decide(alice, ("contoso", numbers[0]), ("contoso", numbers[1]), status="resolved")
    carry()
    first, second = intents(contoso)
    assert (first.state, first.code, second.state) == ("exceeded", "internal", "sent")
    assert first.reference and first.reference in written_log()


def test_a_throttled_lane_does_not_keep_what_was_sent_from_its_witness(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, numbers: list[int]
) -> None:
    decide(alice, ("contoso", numbers[0]), status="resolved", key="first")
    carry()
    world.faults.add(theirs.tenant_id, {"kind": "throttle", "seconds": 600, "on": ["patch"]})
    decide(alice, ("contoso", numbers[1]), status="resolved", key="second")
    carry()
    sync(contoso)
    assert [state for _, state in states(contoso)] == ["confirmed", "queued"]


def test_after_a_conflict_the_writers_way_is_open_again(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, numbers: list[int]
) -> None:
    """A refusal between a person's choice and its delivery is told like any other."""
    decide(alice, ("contoso", numbers[0]), status="resolved")
    world.change_incident(theirs, numbers[0], {"status": "InProgress"})
    carry()
    with scope.operations():
        Delivery.objects.filter(tenant=contoso).update(off_since=timezone.now(), off_code="Forbidden", off_detail="No.")
    assert settle(alice, the_intent(contoso), "mine").code == "read-only"
    with scope.operations():
        access = write_access(Tenant.objects.get(pk=contoso.pk))
    assert (access.is_open, access.reason) == (False, "No.")
