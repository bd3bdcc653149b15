"""Two people at the same moment: they wait for each other, and never in a circle."""

import threading
from typing import Any

from django.db import connection
from django.utils import timezone

from accounts.roles import Role
from incidents import triage
from incidents.decisions import token_of_field
from incidents.triage import Target
from tests.cast import make_cast, make_incident, make_person
from tests.incidents.deciding import BY, at_work, decide, intents


def test_a_choice_in_a_conflict_and_a_decision_that_takes_its_place_do_not_block_each_other(
    committed: None, monkeypatch: Any
) -> None:
    """Whoever locks both locks changes first and the delivery after them."""
    cast = make_cast()
    make_incident(cast.contoso, 7)
    dora = make_person("dora", (cast.contoso, Role.ANALYST))
    decide(cast.alice, ("contoso", 7), comment="There is a delivery from now on.", key="first")
    decide(
        cast.alice, Target("contoso", 7, seen=token_of_field("status", "in-progress")), status="resolved", key="second"
    )
    waiting = next(one for one in intents(cast.contoso) if one.state == "conflict")
    has_locked, has_begun = threading.Event(), threading.Event()
    failures: list[Exception] = []
    mine = triage._mine

    def slowly(*args: Any) -> Any:
        has_locked.set()
        has_begun.wait(10)
        person.join(1.0)
        return mine(*args)

    def decides() -> None:
        try:
            decide(dora, ("contoso", 7), status="resolved", key="third")
        except Exception as error:  # noqa: BLE001  told by the assertion below
            failures.append(error)
        connection.close()

    def chooses() -> None:
        try:
            with at_work(cast.alice):
                triage.settle(user=cast.alice, by=BY, intent=waiting.pk, choice="mine", now=timezone.now())
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        connection.close()

    monkeypatch.setattr(triage, "_mine", slowly)
    person, other = threading.Thread(target=decides), threading.Thread(target=chooses)
    other.start()
    assert has_locked.wait(10)
    person.start()
    has_begun.set()
    for one in (other, person):
        one.join(20)
    assert failures == []
    assert [(one.user_id, one.state) for one in intents(cast.contoso) if one.field == "status"] == [
        (cast.alice.pk, "queued"),
        (dora.pk, "queued"),
    ]
