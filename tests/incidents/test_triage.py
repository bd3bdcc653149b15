"""The door through which people change incidents: what is decided, refused, taken back and chosen."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from accounts.models import User
from audit.models import AuditEvent
from audit.record import Actor
from incidents import triage
from incidents.models import Delivery, Intent
from incidents.triage import Bulk, Decision, Target
from tenants import scope
from tests.cast import NOW, Cast, make_cast, make_incident
from tests.conftest import database_role

pytestmark = pytest.mark.django_db
BY = Actor("Alice (#1)", "request-1", "192.0.2.1")
WRITE = ["Incident.ReadWrite.All"]


@pytest.fixture
def cast() -> Cast:
    cast = make_cast()
    for tenant in (cast.contoso, cast.fabrikam, cast.northwind):
        make_incident(tenant, 7)
        make_incident(tenant, 8)
    return cast


@contextmanager
def at_work(user: User) -> Iterator[None]:
    """As a page or the API acts for a person."""
    with database_role("web"), scope.person(user):
        yield


def decide(
    user: User, *targets: Target | tuple[str, int], key: str = "key-1", now: datetime = NOW, **decision: Any
) -> Bulk:
    chosen = [one if isinstance(one, Target) else Target(*one) for one in targets]
    with at_work(user):
        return triage.decide(user=user, by=BY, targets=chosen, decision=Decision(**decision), key=key, now=now)


def intents(tenant: Any) -> list[Intent]:
    with scope.tenant(tenant.pk):
        return list(Intent.objects.order_by("pk"))


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
