"""Rows that were there before hashes were are numbered anew and chained by the migration."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection, connections
from pytest_django import DjangoDbBlocker

from audit.models import AuditEvent
from audit.record import WORKER, Event, record
from audit.verify import verify
from portal.database_roles import prepare
from tests.audit.tampering import run
from tests.conftest import database_role
from tests.databases import copied_database

pytestmark = pytest.mark.short


@pytest.fixture
def empty(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A database without tables, with the roles."""
    with django_db_blocker.unblock(), copied_database(of="template1"):
        prepare(connections.settings["default"])
        yield


def test_rows_that_were_there_before_are_chained_without_gaps(empty: None) -> None:
    call_command("migrate", "audit", "0001", verbosity=0)
    record(*[Event(by=WORKER, action=f"old {number}", details={"n": number}) for number in range(6)])
    run("SELECT setval('audit_auditevent_id_seq', 40)")  # a gap, as work that was undone leaves it
    record(Event(by=WORKER, action="old 6"))
    call_command("migrate", "audit", verbosity=0)
    with database_role("worker"):
        record(Event(by=WORKER, action="new"))
    rows = list(AuditEvent.objects.order_by("id").values_list("id", "action"))
    assert rows == [*((number + 1, f"old {number}") for number in range(7)), (8, "new")]
    finding = verify()
    assert (finding.bad, finding.rows) == (None, 8)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'audit_%%' AND tgenabled <> 'O'")
        assert cursor.fetchone() == (0,)
