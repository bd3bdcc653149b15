"""Several workers, and workers that die or wake up late: nothing is done twice, nothing is forgotten."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from defender.client import DefenderClient
from incidents import deliveries, outbox, triage
from incidents.deliveries import Claim
from incidents.models import Delivery
from incidents.tasks import deliver_due
from portal import waking
from sandbox.cast import Tenant as TheirTenant
from sandbox.world import World
from tenants import scope
from tenants.leases import Fenced
from tenants.models import Tenant
from tests.cast import make_person
from tests.conftest import as_worker
from tests.incidents.deciding import (
    BY,
    at_work,
    carry,
    comments,
    decide,
    patches,
    remote,
    states,
    the_intent,
    wait_over,
)
from tests.incidents.synced import ours, sync


def arranged(world: World, theirs: TheirTenant) -> tuple[Tenant, User, int]:
    """A synced tenant, who triages it, and an open incident without comments."""
    number = next(n for n in theirs.book.ids() if remote(theirs, n)["status"] != "Redirected")
    world.change_incident(theirs, number, {"status": "Active", "assignedTo": None, "tags": [], "comments": []})
    contoso = ours(theirs)
    sync(contoso)
    return contoso, make_person("alice", (contoso, Role.ANALYST)), number


@pytest.fixture
def scene(db: None, world: World, theirs: TheirTenant) -> tuple[Tenant, User, int]:
    return arranged(world, theirs)


def claimed() -> Claim:
    (claim,) = deliveries.claim_due(limit=1, owner="test")
    return claim


def lapsed(contoso: Tenant) -> None:
    """The worker was thought dead: its claim has run out."""
    with scope.operations():
        Delivery.objects.filter(tenant=contoso).update(lease_until=timezone.now() - timedelta(seconds=1))


def during(monkeypatch: pytest.MonkeyPatch, call: str, what: Callable[[], object], *, after: bool) -> None:
    """The first time that this call is made, something happens right before or after it."""
    original = getattr(DefenderClient, call)
    left = [what]

    def wrapped(self: DefenderClient, *args: Any) -> Any:
        happens = left.pop() if left else None
        if happens and not after:
            happens()
        answer = original(self, *args)
        if happens and after:
            happens()
        return answer

    monkeypatch.setattr(DefenderClient, call, wrapped)


def test_a_tenant_is_carried_by_one_worker_at_a_time(scene: tuple[Tenant, User, int]) -> None:
    _, alice, number = scene
    decide(alice, ("contoso", number), status="resolved")
    with as_worker():
        first = claimed()
        assert deliveries.claim_due(limit=1, owner="another") == []
        deliveries.give_back(first)
        assert claimed().epoch == first.epoch + 1


def test_a_worker_thought_dead_sends_nothing_once_its_claim_has_gone(
    world: World, theirs: TheirTenant, scene: tuple[Tenant, User, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was stopped right before the write; meanwhile another one did everything."""
    contoso, alice, number = scene

    def meanwhile() -> None:
        lapsed(contoso)
        outbox.carry(claimed())

    during(monkeypatch, "update_incident", meanwhile, after=False)
    decide(alice, ("contoso", number), status="resolved", comment="Once.")
    carry()
    assert (patches(world), len(comments(theirs, number))) == (1, 1)
    assert {state for _, state in states(contoso)} == {"sent"}


def test_a_worker_thought_dead_with_the_answer_in_hand_writes_nothing(
    world: World, theirs: TheirTenant, scene: tuple[Tenant, User, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    contoso, alice, number = scene

    def meanwhile() -> None:
        lapsed(contoso)
        outbox.carry(claimed())

    during(monkeypatch, "update_incident", meanwhile, after=True)
    decide(alice, ("contoso", number), status="resolved", comment="Once.")
    carry()
    assert (patches(world), len(comments(theirs, number))) == (1, 1)
    assert {state for _, state in states(contoso)} == {"confirmed"}, "the other one found it standing there"


@pytest.mark.parametrize("call", ["incident", "update_incident"])
@pytest.mark.parametrize("after", [False, True])
def test_a_worker_that_dies_around_a_call_leaves_it_to_the_next_one(
    world: World,
    theirs: TheirTenant,
    scene: tuple[Tenant, User, int],
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    after: bool,
) -> None:
    contoso, alice, number = scene

    def dies() -> None:
        raise SystemExit

    during(monkeypatch, call, dies, after=after)
    decide(alice, ("contoso", number), status="resolved", comment="Once.")
    with pytest.raises(SystemExit):
        carry()
    assert {state for _, state in states(contoso)} == {"sending"}
    assert carry() == 0, "nobody touches it while the claim runs"
    lapsed(contoso)
    carry()
    assert {state for _, state in states(contoso)} <= {"sent", "confirmed"}
    assert (patches(world), len(comments(theirs, number))) == (1, 1)


def test_the_fence_refuses_an_older_claim_everywhere(scene: tuple[Tenant, User, int]) -> None:
    contoso, alice, number = scene
    decide(alice, ("contoso", number), status="resolved")
    with as_worker():
        old = claimed()
        lapsed(contoso)
        claimed()
        for refused in (deliveries.fence_now, deliveries.give_back):
            with pytest.raises(Fenced):
                refused(old)


def test_what_is_being_sent_can_not_be_taken_back(
    scene: tuple[Tenant, User, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    contoso, alice, number = scene
    made = decide(alice, ("contoso", number), status="resolved")
    taken: list[Any] = []

    def undo() -> None:
        with at_work(alice):
            taken.append(triage.undo(user=alice, by=BY, batch=made.batch or 0, now=timezone.now()))

    during(monkeypatch, "incident", undo, after=False)
    carry()
    assert (len(taken[0].cancelled), len(taken[0].too_late)) == (0, 1)
    assert the_intent(contoso).state == "sent"


def test_the_next_wake_up_comes_when_the_time_for_undoing_is_over(scene: tuple[Tenant, User, int]) -> None:
    _, alice, number = scene
    with as_worker():
        assert deliveries.next_due_in() is None
    decide(alice, ("contoso", number), now=timezone.now(), status="resolved")
    with as_worker():
        wait = deliveries.next_due_in()
    assert wait is not None and 0 < wait <= 10


def test_a_worker_that_nobody_wakes_carries_changes_too(
    world: World, scene: tuple[Tenant, User, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert waking.WOKEN["incidents.deliver_due"] is deliver_due
    contoso, alice, number = scene
    monkeypatch.setattr(outbox, "threads", lambda: __import__("tests.incidents.synced", fromlist=["x"]).SameThread())
    decide(alice, ("contoso", number), status="resolved")
    with as_worker():
        deliver_due()
    assert (the_intent(contoso).state, patches(world)) == ("sent", 1)


def test_a_decision_that_comes_while_a_delivery_ends_is_not_overlooked(
    committed: None, world: World, theirs: TheirTenant
) -> None:
    """The decision's transaction is open when the worker works out when the tenant is due again."""
    contoso, alice, number = arranged(world, theirs)
    other = next(n for n in theirs.book.ids() if n != number and remote(theirs, n)["status"] != "Redirected")
    decide(alice, ("contoso", other), comment="Earlier.", key="first")
    with as_worker():
        claim = claimed()
    decided, go_on = threading.Event(), threading.Event()

    def decides() -> None:
        with at_work(alice):
            triage.decide(
                user=alice, by=BY, targets=[triage.Target("contoso", number)], key="second",
                decision=triage.Decision(comment="Now."), now=timezone.now() - timedelta(minutes=9),
            )  # fmt: skip
            decided.set()
            go_on.wait(5)
        connection.close()

    def gives_back() -> None:
        with as_worker():
            deliveries.give_back(claim)
        connection.close()

    person, worker = threading.Thread(target=decides), threading.Thread(target=gives_back)
    person.start()
    assert decided.wait(10)
    worker.start()
    worker.join(0.3)
    go_on.set()
    person.join(10)
    worker.join(10)
    with scope.operations():
        held = Delivery.objects.get(tenant=contoso)
    assert held.due_at is not None and held.due_at <= timezone.now() - timedelta(minutes=8)
    assert held.lease_until is None


def test_two_clicks_at_the_same_moment_make_one_decision(committed: None, world: World, theirs: TheirTenant) -> None:
    contoso, alice, number = arranged(world, theirs)
    start = threading.Barrier(4)
    made: list[Any] = []

    def clicks() -> None:
        start.wait(10)
        made.append(decide(alice, ("contoso", number), comment="Once.", key="same"))
        connection.close()

    threads = [threading.Thread(target=clicks) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert sorted(one.is_repeat for one in made) == [False, True, True, True]
    assert {one.batch.pk for one in made} == {made[0].batch.pk}
    assert len(states(contoso)) == 1
    wait_over(contoso)
    carry()
    assert len(comments(theirs, number)) == 1
