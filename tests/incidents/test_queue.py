"""The queue: what is in it, in which order, and that pages hold together while incidents come in."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.roles import Role
from incidents import queue as incident_queue
from incidents import queue_statements
from incidents.cursor import seal, unseal
from incidents.facets import counts_for, open_by_tenant, open_counts
from incidents.filters import Filters, query_for, read_filters
from incidents.models import Incident, Severity, Status
from incidents.queue import PAGE, QueuePage, queue_page
from tenants import scope
from tests.cast import NOW, Cast, make_cast, make_incident, make_person, make_tenant
from tests.conftest import database_role

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def page_of(user: User, cursor: str = "", **filters: object) -> QueuePage:
    with database_role("web"), scope.person(user):
        return queue_page(user, Filters(**filters), cursor)  # type: ignore[arg-type]


def numbers(page: QueuePage) -> list[int]:
    return [row.number for row in page.rows]


def test_newest_first_over_all_tenants_of_the_person_and_no_other(cast: Cast) -> None:
    make_incident(cast.contoso, 1, updated_at=NOW)
    make_incident(cast.fabrikam, 2, updated_at=NOW + timedelta(seconds=2))
    make_incident(cast.northwind, 3, updated_at=NOW + timedelta(seconds=3))
    make_incident(cast.contoso, 4, updated_at=NOW + timedelta(seconds=1))
    assert numbers(page_of(cast.alice)) == [2, 4, 1]
    assert numbers(page_of(cast.bob)) == [4, 1]
    assert numbers(page_of(cast.charlie)) == [3]


def test_staff_without_a_grant_have_an_empty_queue(cast: Cast) -> None:
    make_incident(cast.contoso, 1)
    page = page_of(make_person("dana", is_staff=True))
    assert (numbers(page), page.tenants, page.open_total) == ([], [], 0)


def test_two_roles_over_a_tenant_do_not_double_its_incidents(cast: Cast) -> None:
    both = make_person("erin", (cast.contoso, Role.VIEWER), (cast.contoso, Role.ANALYST))
    make_incident(cast.contoso, 1)
    page = page_of(both)
    assert (numbers(page), page.open_total, len(page.tenants)) == ([1], 1, 1)


def test_outside_a_scope_the_queue_refuses_to_answer(cast: Cast) -> None:
    with pytest.raises(scope.NoScope):
        queue_page(cast.alice, Filters())


def test_the_explicit_tenant_filter_holds_without_row_level_security(cast: Cast) -> None:
    make_incident(cast.northwind, 3)
    with scope.person(cast.alice):  # as the owner, whose policy lets everything through
        page = queue_page(cast.alice, Filters(status="all", text="suspicious"))
    assert (numbers(page), page.open_total) == ([], 0)


def test_open_is_the_default_and_merged_shells_show_only_when_asked_for(cast: Cast) -> None:
    for number, status in enumerate(Status, start=1):
        make_incident(cast.contoso, number, status=status, updated_at=NOW + timedelta(seconds=number))
    assert numbers(page_of(cast.alice)) == [5, 2, 1]
    assert numbers(page_of(cast.alice, status="all")) == [5, 3, 2, 1]
    assert numbers(page_of(cast.alice, status="merged")) == [4]
    assert numbers(page_of(cast.alice, status="resolved")) == [3]
    assert numbers(page_of(cast.alice, status="in-progress")) == [2]


def test_the_target_of_a_merge_says_how_many_went_into_it(cast: Cast) -> None:
    make_incident(cast.contoso, 1)
    make_incident(cast.fabrikam, 1)
    for number in (2, 3):
        make_incident(cast.contoso, number, status=Status.REDIRECTED, redirect_number=1)
    found = {row.tenant.slug: row.merged_from for row in page_of(cast.alice).rows}
    assert found == {"contoso": 2, "fabrikam": 0}
    assert {row.redirect_number for row in page_of(cast.alice, status="merged").rows} == {1}


def test_filters_narrow_by_tenant_severity_and_assignee(cast: Cast) -> None:
    make_incident(cast.contoso, 1, severity=Severity.HIGH, assigned_to="alice@mssp.example")
    make_incident(cast.contoso, 2, severity=Severity.LOW, assigned_to=None)
    make_incident(cast.fabrikam, 3, severity=Severity.UNKNOWN, remote_severity="Critical", assigned_to="")
    assert set(numbers(page_of(cast.alice, tenants=("contoso",)))) == {1, 2}
    assert set(numbers(page_of(cast.alice, tenants=("contoso", "fabrikam")))) == {1, 2, 3}
    assert set(numbers(page_of(cast.alice, severities=("high", "unknown")))) == {1, 3}
    assert numbers(page_of(cast.alice, assignee="alice@mssp.example")) == [1]
    assert set(numbers(page_of(cast.alice, assignee="nobody"))) == {2, 3}
    assert page_of(cast.alice, severities=("unknown",)).rows[0].severity_word == "Unknown (Critical)"


def test_a_tenant_of_others_and_a_tenant_that_is_none_narrow_to_the_same_nothing(cast: Cast) -> None:
    make_incident(cast.contoso, 1)
    make_incident(cast.northwind, 2)
    for slug in ("northwind", "nosuch"):
        page = page_of(cast.alice, tenants=(slug,))
        assert (numbers(page), page.unavailable, page.open_total, page.freshness.tenants) == ([], 1, 0, 0)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("phish", {1}),
        ("PHISHING contoso-dc", {1}),
        ("phishing absent", set()),
        ("100%", {2}),
        ("%", {2}),
        ("a_b", {2}),
        ("_", {2}),
        ("\\", {2}),
        ("' OR 1=1 --", set()),
        ("4711", {4711}),
        ("\u200bphishing", {1}),
        ("   ", {1, 2, 4711}),
    ],
)
def test_all_words_must_be_found_and_no_character_is_a_wildcard(cast: Cast, text: str, found: set[int]) -> None:
    make_incident(cast.contoso, 1, "Phishing mail", host="contoso-dc")
    make_incident(cast.contoso, 2, "100% a_b \\ done")
    make_incident(cast.contoso, 4711, "Malware")
    assert set(numbers(page_of(cast.alice, text=text))) == found


def test_a_stub_without_search_text_is_found_by_its_number(cast: Cast) -> None:
    stub = make_incident(cast.contoso, 90210, "", is_stub=True)
    with scope.tenant(cast.contoso.pk):
        stub.search.delete()
    page = page_of(cast.alice, text="90210")
    assert [row.is_stub for row in page.rows] == [True]


def test_words_are_looked_for_within_the_fence_only(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    make_incident(cast.contoso, 1, "Old phishing", updated_at=NOW - timedelta(days=1))
    make_incident(cast.contoso, 2, "New malware")
    monkeypatch.setattr(incident_queue, "SEARCHED", 1)
    assert numbers(page_of(cast.alice, text="phishing")) == []
    monkeypatch.setattr(incident_queue, "SEARCHED", 2)
    assert numbers(page_of(cast.alice, text="phishing")) == [1]


def test_pages_follow_each_other_without_gap_or_repeat_while_incidents_come_in(cast: Cast) -> None:
    for number in range(1, 2 * PAGE + 6):
        # Many share a moment, so that the order hangs on the second part of the key.
        make_incident(cast.contoso, number, updated_at=NOW + timedelta(seconds=number // 7))
    first = page_of(cast.alice)
    make_incident(cast.contoso, 900, updated_at=NOW + timedelta(days=1))
    second = page_of(cast.alice, first.older)
    third = page_of(cast.alice, second.older)
    seen = numbers(first) + numbers(second) + numbers(third)
    assert seen == sorted(range(1, 2 * PAGE + 6), key=lambda n: (-(n // 7), -n))
    assert (first.is_first, second.is_first, third.older) == (True, False, "")


def test_exactly_one_page_has_no_older_one(cast: Cast) -> None:
    for number in range(1, PAGE + 1):
        make_incident(cast.contoso, number)
    assert page_of(cast.alice).older == ""


def test_a_cursor_of_somebody_else_or_of_other_filters_is_the_first_page(cast: Cast) -> None:
    for number in range(1, PAGE + 10):
        make_incident(cast.contoso, number, updated_at=NOW + timedelta(seconds=number))
    of_alice = page_of(cast.alice).older
    assert numbers(page_of(cast.bob, of_alice)) == numbers(page_of(cast.bob))
    assert page_of(cast.alice, of_alice, status="all").is_first
    assert not page_of(cast.alice, of_alice).is_first


@pytest.mark.parametrize("cursor", ["x", "é", "\x00", "gAAAAA", "A" * 9_000, "gAAAAABn" + "A" * 100])
def test_a_cursor_that_nobody_gave_out_is_the_first_page(cast: Cast, cursor: str) -> None:
    make_incident(cast.contoso, 1)
    page = page_of(cast.alice, cursor)
    assert (page.is_first, numbers(page)) == (True, [1])


def test_a_cursor_hides_the_primary_key_and_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    cursor = seal((NOW, 123456789), user_id=1, query="")
    assert "123456789" not in cursor
    assert unseal(cursor, user_id=1, query="") == (NOW, 123456789)
    monkeypatch.setattr("incidents.cursor.LIFE_SECONDS", -1)
    assert unseal(cursor, user_id=1, query="") is None


def test_counts_come_from_the_roll_up_of_the_chosen_tenants(cast: Cast) -> None:
    make_incident(cast.contoso, 1, severity=Severity.HIGH)
    make_incident(cast.contoso, 2, severity=Severity.HIGH, assigned_to="a")
    make_incident(cast.fabrikam, 3, severity=Severity.LOW)
    make_incident(cast.fabrikam, 4, severity=Severity.LOW, status=Status.RESOLVED)
    make_incident(cast.northwind, 5, severity=Severity.HIGH)
    page = page_of(cast.alice, tenants=("contoso",))
    assert (page.open_total, page.open_by_severity["high"], page.open_by_severity["low"]) == (2, 2, 0)
    with database_role("web"), scope.person(cast.alice):
        assert open_by_tenant(page.tenants) == {"contoso": 2, "fabrikam": 1}


def test_one_look_at_the_roll_up_counts_what_two_would(cast: Cast) -> None:
    for number, (tenant, status) in enumerate(
        [(t, s) for t in (cast.contoso, cast.fabrikam, cast.northwind) for s in Status], start=1
    ):
        make_incident(tenant, number, status=status, severity=Severity(number % 4 + 1), assigned_to="a" * (number % 2))
    with database_role("web"), scope.person(cast.alice):
        tenants = queue_page(cast.alice, Filters()).tenants
        for filters in (Filters(), Filters(severities=("high",)), Filters(status="active"), Filters(status="all")):
            apart, together = open_counts(filters, tenants), open_counts(filters, tenants, by_tenant=True)
            assert (together.by_severity, together.unassigned) == (apart.by_severity, apart.unassigned)
            assert apart.unassigned == counts_for(filters, tenants).unassigned
            assert sum(apart.by_severity.values()) == sum(open_by_tenant(tenants).values()) == 6
            assert together.by_tenant == (None if filters.status == "all" else open_by_tenant(tenants))


def test_the_version_changes_with_the_page_and_not_with_time(cast: Cast) -> None:
    made = make_incident(cast.contoso, 1)
    before = page_of(cast.alice).version
    make_incident(cast.northwind, 2)
    assert page_of(cast.alice).version == before
    with scope.tenant(cast.contoso.pk):
        Incident.objects.filter(pk=made.pk).update(changed_at=NOW + timedelta(seconds=1))
    assert page_of(cast.alice).version != before


def test_any_number_of_tenants_and_rows_takes_the_same_few_queries(cast: Cast) -> None:
    tenants = [make_tenant(f"Tenant {n}") for n in range(20)]
    many = make_person("many", *((tenant, Role.ANALYST) for tenant in tenants))
    for number in range(1, PAGE + 5):
        make_incident(tenants[number % 20], number)
    with (
        database_role("web"),
        scope.person(many),
        CaptureQueriesContext(
            connection,
        ) as queries,
    ):
        queue_page(many, Filters())
    assert len(queries) <= 5


def test_a_glance_at_the_newest_finds_what_the_whole_search_finds(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, PAGE + 12):
        words = "needle" if number % 4 == 0 else "hay" if number > 5 else "hay needle"
        make_incident(cast.contoso, number, words=words, updated_at=NOW + timedelta(seconds=number))
    pages = {}
    for glanced in (1, 10, PAGE + 5, 500):
        monkeypatch.setattr(incident_queue, "GLANCED", glanced)
        for text in ("hay", "needle", "both"):
            found = page_of(cast.alice, text=text)
            pages[glanced, text] = [row.number for row in found.rows], bool(found.older)
    for text in ("hay", "needle", "both"):
        assert len({str(pages[glanced, text]) for glanced in (1, 10, PAGE + 5, 500)}) == 1, text
    assert len(pages[500, "needle"][0]) > 10


def test_the_inner_query_walks_a_partial_index_of_open_incidents(cast: Cast) -> None:
    for number in range(1, 300):  # one in ten is open, so that walking the others costs something
        status = Status.RESOLVED if number % 10 else Status.ACTIVE
        make_incident(cast.contoso, number, status=status, updated_at=NOW + timedelta(seconds=number))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE incidents_incident")
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        keys = queue_statements.KEYS.format(narrow=" AND q.is_open AND q.severity = ANY(%(severities)s::smallint[])")
        wanted: dict[str, Any] = {"tenants": [cast.contoso.pk], "severities": [3], "limit": 51}
        cursor.execute(f"EXPLAIN {keys}", wanted)
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "using open_incident" in plan, plan


def test_filters_read_from_an_address_give_that_address_again() -> None:
    query = "tenant=contoso&tenant=fabrikam&severity=high&status=all&assignee=nobody&q=a+b"
    assert query_for(read_filters(QueryDict(query))) == query


@pytest.mark.parametrize("query", ["status=bogus", "severity=bogus", "tenant=", "q=", "q=%00", "assignee=%00"])
def test_words_in_the_address_that_mean_nothing_are_left_aside(query: str) -> None:
    assert query_for(read_filters(QueryDict(query))) == ""
