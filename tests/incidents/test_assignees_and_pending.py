"""Who may be assigned and under which address; what of decisions the pages show."""

from typing import Any

import pytest

from accounts.models import User
from audit.models import AuditEvent
from incidents.assignees import BadAddress, address_for, people_for, set_address
from incidents.models import Incident
from incidents.pending import batch_for, batches_for, pending_for
from incidents.triage import Bulk, Target
from incidents.values import held
from tenants import scope
from tests.cast import NOW, Cast, make_cast, make_incident
from tests.incidents import deciding
from tests.incidents.deciding import BY, at_work, intents

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    cast = make_cast()
    for tenant in (cast.contoso, cast.fabrikam, cast.northwind):
        make_incident(tenant, 7)
    return cast


def decide(user: User, *targets: Target | tuple[str, int], **decision: Any) -> Bulk:
    """At the moment of the story."""
    return deciding.decide(user, *targets, **{"now": NOW, **decision})


def test_f63_a_person_is_written_in_each_tenant_under_the_address_of_that_tenant(cast: Cast) -> None:
    addressed(cast.alice, "alice@mssp.example")
    addressed(cast.alice, "alice_ext@fabrikam.example", cast.fabrikam)
    done = decide(cast.alice, ("contoso", 7), ("fabrikam", 7), assignee=cast.alice.pk)
    assert [one.code for one in done.answers] == ["", ""]
    assert intents(cast.contoso)[0].wanted == "alice@mssp.example"
    assert intents(cast.fabrikam)[0].wanted == "alice_ext@fabrikam.example"
    with at_work(cast.alice):
        assert address_for(cast.alice, cast.fabrikam) == "alice_ext@fabrikam.example"


def test_f63_who_may_not_triage_a_tenant_is_neither_offered_nor_assigned_there(cast: Cast) -> None:
    for person in (cast.alice, cast.bob, cast.charlie):
        addressed(person, f"{person.username}@mssp.example")
    with at_work(cast.alice):
        offered = people_for([cast.contoso.pk, cast.fabrikam.pk, cast.northwind.pk])
    names = {key: [person.name for person in people] for key, people in offered.items()}
    assert names == {cast.contoso.pk: ["Alice"], cast.fabrikam.pk: ["Alice"], cast.northwind.pk: []}
    chosen: list[dict[str, Any]] = [{"assignee": cast.bob.pk}, {"assigned_to": "charlie@mssp.example"}]
    for number, wanted in enumerate(chosen):
        done = decide(cast.alice, ("contoso", 7), key=f"key-{number}", **wanted)
        assert done.answers[0].code == "not-assignable"


def test_an_address_is_taken_in_any_case_and_written_as_staff_set_it(cast: Cast) -> None:
    addressed(cast.alice, "Alice@MSSP.example")
    decide(cast.alice, ("contoso", 7), assigned_to="alice@mssp.example")
    assert intents(cast.contoso)[0].wanted == "Alice@MSSP.example"


def addressed(user: User, address: str, tenant: Any = None) -> None:
    with scope.operations():
        set_address(user=user, tenant=tenant, address=address, by=BY, now=NOW)


@pytest.mark.parametrize("address", ["nobody", "a b@example.com", "x@" + "y" * 320, "a\u202e@example.com", "@example"])
def test_an_address_that_is_none_is_refused_with_a_sentence(cast: Cast, address: str) -> None:
    with pytest.raises(BadAddress, match="address"):
        addressed(cast.alice, address)


def test_an_address_can_be_taken_away_again(cast: Cast) -> None:
    addressed(cast.alice, "alice@mssp.example")
    addressed(cast.alice, "")
    with at_work(cast.alice):
        assert address_for(cast.alice, cast.contoso) is None
    assert AuditEvent.objects.filter(action="set address").count() == 2


def test_the_pages_show_what_is_on_its_way_laid_over_our_copy(cast: Cast) -> None:
    decide(cast.alice, ("contoso", 7), status="resolved", add_tags=("wave",), comment="Words.")
    with at_work(cast.bob):
        (found,) = pending_for(Incident.objects.values_list("pk", flat=True)).values()
    with scope.tenant(cast.contoso.pk):
        ours = held(Incident.objects.get(number=7), ["old"])
    assert (found.over(ours).status, found.over(ours).tags) == ("resolved", ("old", "wave"))
    assert [(one.label, one.wanted_words, one.user_name) for one in found.intents] == [
        ("Status", "Resolved", "Alice"),
        ("Tags", "+wave", "Alice"),
        ("Comment", "Words.", "Alice"),
    ]
    with at_work(cast.charlie):
        assert pending_for([one.incident_id for one in intents(cast.contoso)]) == {}


def test_a_persons_decisions_are_listed_with_what_became_of_them(cast: Cast) -> None:
    made = decide(cast.alice, ("contoso", 7), ("northwind", 7), status="resolved")
    assert made.batch is not None
    with at_work(cast.alice):
        (listed,) = batches_for(cast.alice)
        one = batch_for(cast.alice, made.batch.pk)
    assert one is not None and listed.counts == one.counts == {"queued": 1}
    assert (listed.may_cancel, listed.is_settled, [one["code"] for one in listed.refused]) == (
        True,
        False,
        ["not-found"],
    )
    with at_work(cast.charlie):
        assert batches_for(cast.charlie) == []
        assert batch_for(cast.alice, made.batch.pk) is None
