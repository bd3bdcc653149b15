"""The audit log: appended to in the caller's transaction, by anybody; changed by nobody."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction

from accounts.actor import person_name
from accounts.models import User
from audit.models import AuditEvent, Outcome
from audit.record import WORKER, Actor, Event, record
from tests.cast import PASSWORD
from tests.conftest import database_role

pytestmark = pytest.mark.short

ROLES = ["web", "worker", "owner"]
CHANGES = [
    "UPDATE audit_auditevent SET actor = 'nobody'",
    "DELETE FROM audit_auditevent",
    "TRUNCATE audit_auditevent",
]


def appended(**values: Any) -> AuditEvent:
    """One event with the given values, as it was stored."""
    record(Event(**{"by": WORKER, "action": "test", **values}))
    return AuditEvent.objects.latest("id")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("role", ROLES)
def test_no_role_of_the_portal_changes_what_is_written_r1(db: None, role: str, change: str) -> None:
    appended()
    with database_role(role):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change)
        assert list(AuditEvent.objects.values_list("actor", flat=True)) == ["worker"]


@pytest.mark.parametrize("role", ["web", "worker"])
def test_a_row_gets_in_through_the_append_function_alone(db: None, role: str) -> None:
    with database_role(role):
        with pytest.raises(DatabaseError), transaction.atomic():
            AuditEvent.objects.create(at="2020-01-01T00:00:00Z", actor="me", action="forged", outcome="done")
        record(Event(by=WORKER, action="test"))
    assert [row.action for row in AuditEvent.objects.all()] == ["test"]


@pytest.mark.parametrize("role", ROLES)
def test_the_time_is_the_databases_and_the_rest_is_the_callers(db: None, role: str) -> None:
    tenant = uuid4()
    with database_role(role):
        record(
            Event(
                by=Actor("Ada (#1)", "abc123", "192.0.2.7"), action="grant", tenant=tenant, subject="Bob",
                outcome=Outcome.DENIED, details={"role": "viewer", "n": 3, "yes": True, "none": None, "list": ["a", 1]},
            )
        )  # fmt: skip
        with connection.cursor() as cursor:
            cursor.execute("SELECT abs(extract(epoch FROM at - clock_timestamp())) < 5 FROM audit_auditevent")
            assert cursor.fetchone() == (True,)
    row = AuditEvent.objects.get()
    assert (row.actor, row.request_id, row.address, row.tenant) == ("Ada (#1)", "abc123", "192.0.2.7", tenant)
    assert (row.subject, row.outcome) == ("Bob", "denied")
    assert row.details == {"role": "viewer", "n": 3, "yes": True, "none": None, "list": ["a", 1]}


def test_many_events_are_one_statement_and_keep_their_order(
    db: None, django_assert_num_queries: Callable[[int], Any]
) -> None:
    with django_assert_num_queries(1):
        record(*[Event(by=WORKER, action=f"step {number}") for number in range(500)])
    assert list(AuditEvent.objects.order_by("id").values_list("action", flat=True)) == [
        f"step {number}" for number in range(500)
    ]


def test_no_event_is_no_row(db: None) -> None:
    record()
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize(
    "text",
    ["a\x00b", "a\ud800b", "\u202egnp.exe", "\U0001f600", "x" * 100_000, "'; DROP TABLE audit_auditevent; --", "{}"],
    ids=["nul", "surrogate", "bidi", "emoji", "long", "quote", "json"],
)
def test_any_text_can_be_written(db: None, text: str) -> None:
    details = {text[:50]: text[:50], "deep": [{"of": {"it": text[:50]}}], "number": 1.5, "odd": float("nan")}
    row = appended(by=Actor(text, text, text), action=text, subject=text, details=details)
    clean = text.replace("\x00", "\ufffd").replace("\ud800", "?")
    assert (row.actor, row.action, row.subject) == (clean[:200], clean[:80], clean[:300])
    assert row.details["deep"] == [{"of": {"it": clean[:50]}}]
    assert AuditEvent.objects.count() == 1


def test_what_is_undone_leaves_no_line(db: None) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        record(Event(by=WORKER, action="test"))
        raise ZeroDivisionError
    assert not AuditEvent.objects.exists()


def test_a_log_that_cannot_be_written_stops_the_action(db: None, audit_fails: Callable[[], Any]) -> None:
    from django.contrib.contenttypes.models import ContentType

    before = ContentType.objects.count()
    with audit_fails(), pytest.raises(DatabaseError), transaction.atomic():
        ContentType.objects.create(app_label="x", model="y")
        record(Event(by=WORKER, action="test"))
    assert ContentType.objects.count() == before


def test_the_longest_name_leaves_room_for_the_id_of_its_person(db: None) -> None:
    person = User.objects.create_local(username="long", password=PASSWORD, display_name="n" * 200)
    record(Event(by=Actor(person_name(person)), action="test"))
    assert AuditEvent.objects.get().actor.endswith(f" (#{person.pk})")
