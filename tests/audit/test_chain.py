"""Rows hang on one another: numbers without gaps, canonical bytes, hashes that anybody can repeat."""

import json
from hashlib import sha256
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from audit.canonical import GENESIS
from audit.models import AuditEvent, Outcome
from audit.record import WORKER, Actor, Event, record
from audit.verify import verify
from tests.conftest import database_role
from tests.databases import in_threads

pytestmark = pytest.mark.short


def log() -> list[AuditEvent]:
    return list(AuditEvent.objects.order_by("id"))


@pytest.mark.parametrize("role", ["web", "worker", "owner"])
def test_numbers_have_no_gaps_and_each_row_names_the_hash_of_the_one_before_r1(db: None, role: str) -> None:
    with database_role(role):
        for size in (1, 3, 2):
            record(*[Event(by=WORKER, action=f"test {size}") for _ in range(size)])
    rows = log()
    assert [row.pk for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row.prev for row in rows] == [GENESIS, *(row.hash for row in rows[:-1])]


def test_anybody_can_repeat_a_hash_from_what_is_written(db: None) -> None:
    record(
        Event(by=Actor("Zoë \U0001f600\x01", "r1", "192.0.2.7"), action='quote " \\ tab \t', details={"é": [1, None]})
    )
    (row,) = log()
    assert row.hash == sha256((row.prev + row.canonical).encode()).hexdigest()


def test_the_canonical_text_says_everything_that_the_columns_say(db: None) -> None:
    tenant = uuid4()
    given = Actor("Ada (#1)", "abc123", "192.0.2.7")
    record(Event(by=given, action="grant", tenant=tenant, subject="Bob", outcome=Outcome.DENIED, details={"n": 3}))
    (row,) = log()
    said = json.loads(row.canonical)
    assert said.pop("at") == row.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert said == {
        "v": 1, "seq": 1, "actor": "Ada (#1)", "action": "grant", "tenant": str(tenant), "subject": "Bob",
        "outcome": "denied", "details": {"n": 3}, "request_id": "abc123", "address": "192.0.2.7",
    }  # fmt: skip
    columns = {field.name for field in AuditEvent._meta.fields} - {"id", "canonical", "prev", "hash"}
    assert columns == {*said, "at"} - {"v", "seq"}, "a column that no hash protects"


def test_what_is_undone_leaves_no_gap(db: None) -> None:
    record(Event(by=WORKER, action="one"))
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        record(Event(by=WORKER, action="undone"), Event(by=WORKER, action="undone"))
        raise ZeroDivisionError
    record(Event(by=WORKER, action="two"))
    assert [(row.pk, row.action) for row in log()] == [(1, "one"), (2, "two")]
    assert verify().bad is None


def test_many_who_write_at_once_make_one_chain(committed: None) -> None:
    def write(number: int) -> None:
        for turn in range(10):
            with transaction.atomic():
                record(*[Event(by=Actor(f"writer {number}"), action="test") for _ in range(1 + turn % 3)])

    in_threads(write, 6, role="worker")
    assert [row.pk for row in log()] == list(range(1, 6 * 19 + 1))
    finding = verify()
    assert (finding.bad, finding.rows) == (None, 114)


def test_a_whole_log_is_found_whole_whatever_is_written_in_it(db: None) -> None:
    odd = [
        "a\x00b",
        "a\ud800b",
        "\u202egnp.exe",
        "\U0001f600",
        "'; --",
        "{}",
        "\x7f\x1b[31m",
        'back\\slash "quote"',
        "",
    ]
    events = [Event(by=Actor(text, text, text), action=text, subject=text, details={text: text}) for text in odd]
    record(*events, Event(by=WORKER, action="numbers", details={"n": 10**30, "deep": [{"x": [True, None, -1]}]}))
    finding = verify()
    assert (finding.bad, finding.rows, finding.last) == (None, 10, 10)


def test_an_empty_log_is_whole(db: None) -> None:
    assert (verify().bad, verify().rows) == (None, 0)


def test_a_number_is_never_given_twice(db: None) -> None:
    record(Event(by=WORKER, action="test"))
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO audit_auditevent SELECT * FROM audit_auditevent")
