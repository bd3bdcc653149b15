"""The audit log's page, download and export: for staff, by tenant, person, action, outcome and days."""

import json
import re
from hashlib import sha256
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEvent, Outcome
from audit.record import Actor, Event, record
from audit.search import PAGE, Search, known_actions, page_of
from tests.cast import Cast, make_cast, make_person
from tests.conftest import WebClient

CONTOSO, NORTHWIND = UUID(int=1), UUID(int=2)
ADA, BOB = Actor("Ada (#1)", "r1", "192.0.2.1"), Actor("Bob (#2)")
PATHS = ["/audit/", "/audit/download/"]
# address → the subjects that it must find, newest first
FILTERS = {
    "": "efdcba",
    f"tenant={CONTOSO}": "dba",
    "person=bob": "fdb",
    "kind=looked": "fba",
    "kind=changed": "edc",
    "action=grant+role": "dc",
    "outcome=denied": "c",
    f"tenant={CONTOSO}&kind=looked": "ba",
    f"tenant={CONTOSO}&kind=changed": "d",
    f"tenant={CONTOSO}&person=Ada&kind=looked": "a",
    "since=2020-01-01": "efdcba",
    "since=2199-01-01": "",
    "until=2020-01-01": "",
    "until=9999-12-31": "efdcba",
    "since=0001-01-01": "efdcba",
    "tenant=0b5f49ac-ff8d-46f7-83b7-d27b0880f6ec": "",
}  # fmt: skip


@pytest.fixture
def log(db: None) -> None:
    record(
        Event(by=ADA, action="read incident", tenant=CONTOSO, subject="a"),
        Event(by=BOB, action="read incident", tenant=CONTOSO, subject="b"),
        Event(by=ADA, action="grant role", tenant=NORTHWIND, subject="c", outcome=Outcome.DENIED),
        Event(by=BOB, action="grant role", tenant=CONTOSO, subject="d", details={"role": "viewer"}),
        Event(by=BOB, action="export incidents", tenant=NORTHWIND, subject="f"),
        Event(by=ADA, action="sign in", subject="e"),
    )


@pytest.fixture
def staff(log: None, client: WebClient) -> WebClient:
    client.force_login(make_person("carla", is_staff=True))
    return client


def subjects(answer: Any) -> str:
    rows = re.findall(r"<tr>\s*<td.*?</tr>", answer.content.decode(), re.DOTALL)
    return "".join(re.findall(r'<td class="content">(\w)</td>', "".join(rows)))


def sent(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(answer.streaming_content).splitlines()]


@pytest.mark.parametrize("path", PATHS)
def test_the_log_is_for_staff(log: None, client: WebClient, path: str) -> None:
    assert client.get(path).status_code == 302
    client.force_login(make_person("alice"))
    assert client.get(path).status_code == 403
    client.force_login(make_person("carla", is_staff=True))
    assert client.get(path).status_code == 200
    assert client.post(path).status_code in {403, 405}


@pytest.mark.parametrize("asked", FILTERS)
def test_the_page_and_the_download_find_the_same(staff: WebClient, asked: str) -> None:
    page = staff.get(f"/audit/?{asked}")
    assert page.status_code == 200
    assert subjects(page) == FILTERS[asked]
    assert page.headers["Cache-Control"] == "no-store"
    lines = sent(staff.get(f"/audit/download/?{asked}"))
    found = [line["subject"] for line in reversed(lines) if line["action"] != "export audit log"]
    assert "".join(found) == FILTERS[asked]


def test_the_download_is_recorded_before_it_is_sent_and_each_line_proves_itself(staff: WebClient) -> None:
    answer: Any = staff.get("/audit/download/?person=Carla")
    row = AuditEvent.objects.latest("id")
    assert (row.action, row.details) == ("export audit log", {"person": "Carla"})
    assert row.actor.startswith("Carla (#")
    assert re.fullmatch(r'attachment; filename="audit-\d{8}T\d{6}Z\.jsonl"', answer.headers["Content-Disposition"])
    (line,) = b"".join(answer.streaming_content).decode().splitlines()
    bare = re.sub(r', "prev": "\w{64}", "hash": "\w{64}"\}$', "}", line)
    given = json.loads(line)
    assert sha256((given["prev"] + bare).encode()).hexdigest() == given["hash"] == row.hash


def test_a_log_that_cannot_be_written_is_not_handed_out(staff: WebClient, audit_fails: Any) -> None:
    with audit_fails(), pytest.raises(DatabaseError), transaction.atomic():
        staff.get("/audit/download/")


@pytest.mark.parametrize("asked", ["tenant=contoso", "since=yesterday", "kind=all", "action=no+such", "person=a%00b"])
def test_filters_that_cannot_be_read_are_an_error_and_show_nothing(staff: WebClient, asked: str) -> None:
    for path in PATHS:
        answer = staff.get(f"{path}?{asked}")
        assert answer.status_code == 400
        assert subjects(answer) == ""


def test_pages_are_found_by_key_and_miss_nothing(staff: WebClient) -> None:
    record(*[Event(by=ADA, action="test", subject=f"row {number}") for number in range(2 * PAGE)])
    path, seen = "/audit/?action=test", []
    while path:
        text = staff.get(path).content.decode()
        seen += re.findall(r"row (\d+)<", text)
        older = re.search(r'href="([^"]+)" rel="next"', text)
        path = older[1].replace("&amp;", "&") if older else ""
    assert seen == [str(number) for number in reversed(range(2 * PAGE))]


@pytest.mark.parametrize("before", ["", "x", "-1", "9" * 40, "1.5"])
def test_a_strange_place_is_the_first_page(staff: WebClient, before: str) -> None:
    assert subjects(staff.get("/audit/", {"before": before})) == FILTERS[""]


def test_hostile_text_is_shown_and_does_nothing(staff: WebClient) -> None:
    record(
        Event(by=Actor("<script>alert(1)</script>"), action="x\u202ey", subject='"><img src=x>', details={"<b>": "<i>"})
    )
    text = staff.get("/audit/").content.decode()
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "<b>:" not in text
    assert "⟨U+202E⟩" in text


def test_a_tenants_page_leads_staff_to_who_looked_and_who_changed(client: WebClient, db: None) -> None:
    cast: Cast = make_cast()
    link = f"{reverse('audit:events')}?tenant={cast.contoso.entra_id}"
    client.force_login(cast.alice)
    assert link not in client.get("/tenants/contoso/").content.decode()
    client.force_login(make_person("carla", is_staff=True))
    assert link in client.get("/tenants/contoso/").content.decode()


def test_the_actions_to_choose_from_are_those_of_the_log(log: None) -> None:
    assert known_actions() == ["export incidents", "grant role", "read incident", "sign in"]


def test_the_last_page_says_so(log: None) -> None:
    page = page_of(Search(), size=6)
    assert (len(page.rows), page.older) == (6, None)
    page = page_of(Search(), size=5)
    assert (len(page.rows), page.older) == (5, 2)


def test_the_command_writes_json_lines_and_records_itself_first(log: None) -> None:
    out, err = StringIO(), StringIO()
    call_command(
        "export_audit", "--tenant", str(CONTOSO), "--since", f"{timezone.now():%Y-%m-%d}", stdout=out, stderr=err
    )
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [(line["seq"], line["subject"]) for line in lines] == [(1, "a"), (2, "b"), (4, "d"), (7, "")]
    assert err.getvalue() == "4 rows.\n"


def test_the_command_refuses_filters_that_it_cannot_read(log: None) -> None:
    with pytest.raises(CommandError, match="--tenant") as ended:
        call_command("export_audit", "--tenant", "contoso")
    assert ended.value.returncode == 2
