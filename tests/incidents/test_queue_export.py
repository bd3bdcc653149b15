"""The queue as a file: what its filters find, in its order, piece by piece, and no formula among it."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from audit.models import AuditEvent
from incidents import queue_export
from incidents.models import Severity, Status
from tenants.models import Grant
from tests.cast import NOW, Cast, make_cast, make_incident
from tests.conftest import WebClient

PATH = "/incidents/export/"


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def alice(cast: Cast, client: WebClient) -> WebClient:
    client.force_login(cast.alice)
    return client


def lines(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer
    return [json.loads(line) for line in answer.getvalue().decode().splitlines()]


def pieces(client: WebClient) -> Iterator[bytes]:
    """The file as it is sent, read as slowly as the test likes."""
    answer: Any = client.get(PATH, {"format": "jsonl"})
    return iter(answer.streaming_content)


def not_fresh(client: WebClient) -> None:
    session = client.session
    session["signed_in_at"] = int((timezone.now() - timedelta(hours=1)).timestamp())
    session.save()


def test_it_has_what_the_filters_find_newest_first_over_all_pieces(
    cast: Cast, alice: WebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_export, "PIECE", 2)
    for number in range(1, 6):
        tenant = cast.contoso if number % 2 else cast.fabrikam
        make_incident(tenant, number, updated_at=NOW + timedelta(minutes=number), severity=Severity.HIGH)
    make_incident(cast.contoso, 6, severity=Severity.LOW)
    make_incident(cast.contoso, 7, status=Status.RESOLVED, severity=Severity.HIGH)
    make_incident(cast.northwind, 8, severity=Severity.HIGH)
    found = lines(alice.get(PATH, {"format": "jsonl", "severity": "high"}))
    assert [(one["tenant"], one["incident_id"]) for one in found] == [
        ("contoso", 5), ("fabrikam", 4), ("contoso", 3), ("fabrikam", 2), ("contoso", 1),
    ]  # fmt: skip


def test_csv_is_for_spreadsheets_and_runs_nothing_m2(cast: Cast, alice: WebClient) -> None:
    make_incident(cast.contoso, 1, '=HYPERLINK("https://evil.example")')
    answer = alice.get(PATH, {"format": "csv"})
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    heading, row = csv.reader(io.StringIO(answer.getvalue().decode()))
    assert dict(zip(heading, row, strict=True))["name"].startswith("'=HYPERLINK")


def test_it_is_recorded_before_its_first_line_without_the_words_that_were_looked_for(
    cast: Cast, alice: WebClient
) -> None:
    alice.get(PATH, {"format": "csv", "status": "all", "q": "secret-host"})
    noted = AuditEvent.objects.get(action="export incidents")
    assert noted.details == {"format": "csv", "filters": "status=all&"}
    assert noted.actor == f"Alice (#{cast.alice.pk})"


def test_a_log_that_cannot_be_written_gives_no_file(alice: WebClient, audit_fails: Any) -> None:
    from django.db import DatabaseError

    with audit_fails(), pytest.raises(DatabaseError):
        alice.get(PATH)


def test_a_large_one_asks_for_a_fresh_sign_in_and_a_small_one_does_not(
    cast: Cast, alice: WebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_export, "LARGE", 2)
    for number in (1, 2):
        make_incident(cast.contoso, number)
    not_fresh(alice)
    assert len(lines(alice.get(PATH, {"format": "jsonl"}))) == 2
    make_incident(cast.contoso, 3)
    asked = alice.get(PATH, {"format": "jsonl"})
    assert (asked.status_code, asked.headers["Location"][:9]) == (302, "/step-up/")
    assert AuditEvent.objects.filter(action="export incidents").count() == 1


def test_a_tenant_whose_grant_is_taken_away_meanwhile_is_left_out_from_the_next_piece_on(
    cast: Cast, alice: WebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_export, "PIECE", 1)
    make_incident(cast.contoso, 1, updated_at=NOW + timedelta(minutes=2))
    make_incident(cast.contoso, 2, updated_at=NOW + timedelta(minutes=1))
    make_incident(cast.fabrikam, 3)
    sent = pieces(alice)
    assert json.loads(next(sent))["incident_id"] == 1
    Grant.objects.filter(user=cast.alice, tenant=cast.contoso).delete()
    assert [json.loads(line)["incident_id"] for line in sent] == [3]


def test_a_person_who_may_not_sign_in_any_more_gets_no_further_piece(
    cast: Cast, alice: WebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_export, "PIECE", 1)
    for number in (1, 2):
        make_incident(cast.contoso, number)
    sent = pieces(alice)
    next(sent)
    type(cast.alice).objects.filter(pk=cast.alice.pk).update(is_active=False)
    with pytest.raises(queue_export.BrokenOff):
        next(sent)


def test_no_scope_is_open_while_the_reader_takes_their_time(
    cast: Cast, alice: WebClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tenants import scope

    monkeypatch.setattr(queue_export, "PIECE", 1)
    for number in (1, 2, 3):
        make_incident(cast.contoso, number)
    for _ in pieces(alice):
        assert not scope.is_open()
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('app.user_id', true)")
            assert cursor.fetchone()[0] == ""


def test_a_form_that_is_none_is_refused_and_the_queue_offers_both(cast: Cast, alice: WebClient) -> None:
    assert alice.get(PATH, {"format": "xlsx"}).status_code == 400
    page = alice.get("/incidents/?severity=high").text
    assert "/incidents/export/?severity=high&amp;format=csv" in page
    assert "/incidents/export/?severity=high&amp;format=jsonl" in page
