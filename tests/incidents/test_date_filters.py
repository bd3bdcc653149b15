"""Days and tenant groups in the queue's address."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.http import QueryDict

from accounts.models import User
from accounts.roles import Role
from incidents.date_filters import are_few
from incidents.filters import Filters, chips_for, query_for, read_filters
from incidents.models import Status
from incidents.queue import PAGE, queue_page
from tenants import scope
from tenants.models import TenantGroup, TenantGroupMember
from tests.cast import Cast, make_cast, make_incident, make_person
from tests.conftest import WebClient, database_role
from tests.incidents.pages import read

pytestmark = pytest.mark.django_db
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def found(user: User, query: str) -> set[int]:
    with database_role("web"), scope.person(user):
        return {row.number for row in queue_page(user, read_filters(QueryDict(query))).rows}


def test_created_from_and_to_include_both_days_to_the_last_instant(cast: Cast) -> None:
    for number, at in enumerate((MIDNIGHT - INSTANT, MIDNIGHT, MIDNIGHT + DAY - INSTANT, MIDNIGHT + DAY), start=1):
        make_incident(cast.contoso, number, created_at=at)
    assert found(cast.alice, "created_from=2026-03-02") == {2, 3, 4}
    assert found(cast.alice, "created_to=2026-03-02") == {1, 2, 3}
    assert found(cast.alice, "created_from=2026-03-02&created_to=2026-03-02") == {2, 3}


def test_touched_and_closed_days_find_what_ended_on_them(cast: Cast) -> None:
    make_incident(cast.contoso, 1, status=Status.RESOLVED, first_touched_at=MIDNIGHT - DAY, closed_at=MIDNIGHT)
    make_incident(cast.contoso, 2, status=Status.RESOLVED, first_touched_at=MIDNIGHT, closed_at=MIDNIGHT + DAY)
    make_incident(cast.contoso, 3, status=Status.IN_PROGRESS, first_touched_at=MIDNIGHT)
    make_incident(cast.contoso, 4)
    assert found(cast.alice, "status=all&touched_from=2026-03-02&touched_to=2026-03-02") == {2, 3}
    assert found(cast.alice, "status=resolved&closed_from=2026-03-02&closed_to=2026-03-02") == {1}
    assert found(cast.alice, "status=all&closed_from=2026-03-03") == {2}


def test_open_on_a_day_is_what_was_open_at_its_end(cast: Cast) -> None:
    old = MIDNIGHT - 9 * DAY
    make_incident(cast.contoso, 1, created_at=old)
    make_incident(cast.contoso, 2, created_at=old, status=Status.RESOLVED, closed_at=MIDNIGHT + DAY - INSTANT)
    make_incident(cast.contoso, 3, created_at=old, status=Status.RESOLVED, closed_at=MIDNIGHT + DAY)
    make_incident(cast.contoso, 4, created_at=MIDNIGHT + DAY)
    make_incident(cast.contoso, 5, created_at=None)
    make_incident(cast.contoso, 6, created_at=old, status=Status.REDIRECTED)
    assert found(cast.alice, "status=all&open_on=2026-03-02") == {1, 3, 5}


def test_a_group_narrows_to_those_of_its_tenants_that_the_person_sees(cast: Cast) -> None:
    both = make_person("erin", (cast.contoso, Role.VIEWER), (cast.fabrikam, Role.VIEWER))
    with scope.operations():
        for name, tenants in {"Retail": (cast.contoso, cast.northwind), "Northern": (cast.northwind,)}.items():
            group = TenantGroup.objects.create(name=name)
            for tenant in tenants:
                TenantGroupMember.objects.create(group=group, tenant=tenant)
    for number, tenant in enumerate((cast.contoso, cast.fabrikam, cast.northwind), start=1):
        make_incident(tenant, number)
    assert found(both, "group=Retail") == {1}
    assert found(both, "group=Retail&tenant=fabrikam") == set()
    assert found(both, "group=Northern") == found(both, "group=No+such") == set()
    assert found(cast.charlie, "group=Retail") == {3}


def test_pages_within_days_follow_each_other_without_gap_or_repeat(cast: Cast) -> None:
    for number in range(1, PAGE + 20):
        make_incident(cast.contoso, number, created_at=MIDNIGHT, updated_at=MIDNIGHT + timedelta(minutes=number // 3))
    make_incident(cast.contoso, 900, created_at=MIDNIGHT - DAY, updated_at=MIDNIGHT + timedelta(minutes=1))
    one_day, nothing = "created_from=2026-03-02&created_to=2026-03-02", "open_on=2026-03-01&created_from=2026-03-02"
    for query in (one_day, nothing):
        filters = read_filters(QueryDict(query))
        assert are_few(filters.dates)
        with database_role("web"), scope.person(cast.alice):
            first = queue_page(cast.alice, filters)
            second = queue_page(cast.alice, filters, first.older)
        seen = [row.number for row in (*first.rows, *second.rows)]
        wanted = sorted(range(1, PAGE + 20), key=lambda n: (-(n // 3), -n)) if query == one_day else []
        assert (seen, second.older) == (wanted, "")


@pytest.mark.parametrize(
    ("query", "few"),
    [
        ("created_from=2026-03-01&created_to=2026-03-07", True),
        ("created_from=2026-03-01&created_to=2026-03-08", False),
        ("closed_from=2026-03-01", False),
        ("open_on=2026-03-01", True),
        ("open_on=2900-03-01", False),
        ("", False),
    ],
)
def test_few_days_are_found_before_they_are_ordered(query: str, few: bool) -> None:
    assert are_few(read_filters(QueryDict(query)).dates) is few


def test_an_address_with_days_and_a_group_is_read_and_written_alike() -> None:
    query = "status=all&group=Retail&created_from=2026-03-01&created_to=2026-03-31&open_on=2026-03-02"
    filters = read_filters(QueryDict(query))
    assert query_for(filters) == query
    assert [chip.text for chip in chips_for(filters, {})] == [
        "Status: All but merged",
        "Tenant group: Retail",
        "Created from: 2026-03-01",
        "Created until: 2026-03-31",
        "Open at the end of: 2026-03-02",
    ]


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-30", "0001-01-01", "9999-12-31", "2026-03-02T00:00", "%00"])
def test_what_is_no_day_is_left_aside(text: str) -> None:
    assert read_filters(QueryDict(f"created_from={text}&open_on={text}")) == Filters()


def test_other_filters_keep_the_days(cast: Cast, client: WebClient) -> None:
    client.force_login(cast.alice)
    seen = read(client.get("/incidents/?created_from=2026-03-01&open_on=2026-03-02").content)
    hidden = {a["name"]: a["value"] for tag, a in seen.tags if tag == "input" and a.get("type") == "hidden"}
    assert hidden.items() >= {"created_from": "2026-03-01", "open_on": "2026-03-02"}.items()
    assert date.fromisoformat(hidden["created_from"]) == date(2026, 3, 1)
