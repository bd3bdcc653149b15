"""When incidents were first touched and closed, and the table of days: exact whatever comes, twice or out of order."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import connection

from incidents import daily
from incidents.models import Daily, Incident
from tenants import scope
from tenants.models import Tenant
from tests.incidents.arranged import FIRST, connected_tenant, incident, sent, store

pytestmark = pytest.mark.django_db
DAY = 86_400
CREATED = "2026-03-01T06:00:00Z"


@pytest.fixture
def contoso() -> Tenant:
    return connected_tenant()


def after(days: float) -> datetime:
    """The moment at which `said` lets an incident be updated, as a column has it."""
    return FIRST + timedelta(days=days, microseconds=123456)


def said(days: float, status: str = "Active", number: int = 1, **fields: Any) -> dict[str, Any]:
    """A version of an incident that was last updated so many days after the first of March."""
    made = {"createdTime": CREATED, "assignedTo": None, "severity": "High", **fields}
    return incident(number, updated=days * DAY, status=status, **made)


def held(tenant: Tenant, number: int = 1) -> Incident:
    with scope.tenant(tenant.pk):
        return Incident.objects.get(number=number)


def days_of(tenant: Tenant) -> dict[tuple[int, str], int]:
    """What the table of days holds, by the day in March; it must be what counting the incidents gives."""
    with scope.tenant(tenant.pk):
        kept = daily.kept(tenant.pk)
        assert kept == daily.counted(tenant.pk)
    return {(day.day, column): n for (day, column), n in kept.items()}


def test_a_closing_is_the_last_update_of_the_first_version_that_says_resolved(contoso: Tenant) -> None:
    store(contoso, said(0.5))
    store(contoso, said(1, "InProgress"))
    store(contoso, said(3, "Resolved"))
    store(contoso, said(5, "Resolved", tags=["after the event"]))
    mine = held(contoso)
    assert (mine.first_touched_at, mine.closed_at) == (after(1), after(3))
    assert (mine.seen_untouched, mine.seen_open) == (True, True)
    assert days_of(contoso) == {(1, "opened_high"): 1, (2, "touched"): 1, (4, "closed_high"): 1}


def test_assigning_is_a_touch_too(contoso: Tenant) -> None:
    store(contoso, said(0.5))
    store(contoso, said(1, assignedTo="alice@mssp.example"))
    store(contoso, said(2, assignedTo=None))
    store(contoso, said(3, "InProgress"))
    assert held(contoso).first_touched_at == after(1)


def test_what_is_closed_when_it_is_first_seen_is_marked_as_an_upper_bound(contoso: Tenant) -> None:
    store(contoso, said(4, "Resolved"))
    mine = held(contoso)
    assert (mine.closed_at, mine.seen_open, mine.seen_untouched) == (after(4), False, False)
    store(contoso, said(5, "Active"), said(4, "Resolved"))
    store(contoso, said(6, "Resolved"))
    mine = held(contoso)
    assert (mine.closed_at, mine.seen_open, mine.seen_untouched) == (after(6), True, False)
    assert mine.first_touched_at == after(4)


def test_what_is_opened_again_was_never_closed(contoso: Tenant) -> None:
    store(contoso, said(1, "Resolved"))
    store(contoso, said(2, "Active"))
    assert held(contoso).closed_at is None
    assert days_of(contoso) == {(1, "opened_high"): 1, (2, "touched"): 1}
    store(contoso, said(3, "Resolved", severity="Low"))
    assert days_of(contoso) == {(1, "opened_low"): 1, (2, "touched"): 1, (4, "closed_low"): 1}


def test_the_same_and_older_versions_again_change_nothing(contoso: Tenant) -> None:
    versions = [said(0.5), said(1, "InProgress"), said(3, "Resolved"), said(4, "Resolved", tags=["x"])]
    for version in versions:
        store(contoso, version)
    before = days_of(contoso), held(contoso).closed_at
    for version in [*versions, *reversed(versions)]:
        store(contoso, version, version)
    with scope.tenant(contoso.pk):
        Incident.objects.update(gone_at=after(5))
    store(contoso, versions[-1])
    assert (days_of(contoso), held(contoso).closed_at) == before


def test_merged_shells_count_nowhere(contoso: Tenant) -> None:
    store(contoso, said(1, "InProgress"), said(2, "Resolved", number=2))
    store(contoso, said(3, "Redirected", redirectIncidentId=9), said(3, "Redirected", number=2, redirectIncidentId=9))
    assert days_of(contoso) == {}
    assert (held(contoso).first_touched_at, held(contoso, 2).closed_at) == (None, None)


def test_a_stub_counts_nowhere_until_it_can_be_read(contoso: Tenant) -> None:
    store(contoso, sent(said(2)).replace(b'"alerts":[', b'"alerts":[[[', 1))
    assert held(contoso).is_stub
    assert days_of(contoso) == {}
    store(contoso, said(2, "Resolved"))
    assert days_of(contoso) == {(1, "opened_high"): 1, (3, "touched"): 1, (3, "closed_high"): 1}
    assert not held(contoso).seen_open


def test_nothing_ends_before_it_begins_and_a_date_ahead_of_every_clock_does_not_stay(contoso: Tenant) -> None:
    store(contoso, said(0, "Resolved"))
    assert held(contoso).closed_at == datetime(2026, 3, 1, 6, tzinfo=UTC)
    store(contoso, said(0, "Resolved", number=2, lastUpdateTime="2090-01-01T00:00:00Z"))
    store(contoso, said(2, "Resolved", number=2))
    assert held(contoso, 2).closed_at == after(2)
    assert days_of(contoso)[3, "closed_high"] == 1


def test_days_that_are_wrong_are_set_right(contoso: Tenant) -> None:
    store(contoso, said(1, "Resolved"), said(1, number=2))
    right = days_of(contoso)
    with scope.tenant(contoso.pk):
        Daily.objects.filter(day=date(2026, 3, 1)).update(opened_high=7, opened_low=3)
        Daily.objects.filter(day=date(2026, 3, 2)).delete()
        assert daily.repair(tenant_id=contoso.pk)
        assert not daily.repair(tenant_id=contoso.pk)
    assert days_of(contoso) == right


def test_the_migration_fills_what_storing_would_have_written(contoso: Tenant) -> None:
    northwind = connected_tenant("Northwind")
    store(contoso, said(1, "Resolved"), said(2, number=2), said(2, "InProgress", number=3, severity="Low"))
    store(contoso, said(2, "Redirected", number=4, redirectIncidentId=2), said(2, number=5, assignedTo="bob"))
    store(northwind, said(3, "Resolved", severity="UnSpecified"))
    stored = [_everything(tenant) for tenant in (contoso, northwind)]
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM incidents_daily")
        cursor.execute("UPDATE incidents_incident SET closed_at = NULL, first_touched_at = NULL")
        cursor.execute("UPDATE incidents_incident SET seen_open = false, seen_untouched = false")
        cursor.execute(import_module("incidents.migrations.0010_lifetimes").FILL)
    assert [_everything(tenant) for tenant in (contoso, northwind)] == stored


def _everything(tenant: Tenant) -> tuple[list[tuple[Any, ...]], Counter[Any]]:
    columns = ("number", "first_touched_at", "closed_at", "seen_untouched", "seen_open")
    with scope.tenant(tenant.pk):
        return list(Incident.objects.order_by("number").values_list(*columns)), daily.kept(tenant.pk)
