"""The history of our copy: what is written down of a newer version, and what is not."""

from datetime import timedelta
from typing import Any

import pytest

from incidents import history
from incidents.models import Incident, IncidentChange
from tenants import scope
from tenants.models import SyncRun, Tenant
from tests.incidents.arranged import NOW, connected_tenant, incident, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def contoso() -> Tenant:
    return connected_tenant()


def changes(tenant: Tenant) -> list[dict[str, Any]]:
    with scope.tenant(tenant.pk):
        return [change.differences for change in IncidentChange.objects.order_by("id")]


def test_a_first_version_leaves_no_change(contoso: Tenant) -> None:
    store(contoso, incident(1))
    assert changes(contoso) == []


def test_a_newer_version_says_which_fields_went_from_what_to_what(contoso: Tenant) -> None:
    store(contoso, incident(1, status="Active", assignedTo=None, tags=["a", "b"], severity="Low"))
    newer = incident(
        1, updated=60, status="Resolved", assignedTo="eve@contoso.example", tags=["b", "c"], severity="High",
        classification="TruePositive", determination="Malware",
    )  # fmt: skip
    store(contoso, newer, now=NOW + timedelta(minutes=1))
    (only,) = changes(contoso)
    assert only["remote_status"] == ["Active", "Resolved"]
    assert only["remote_severity"] == ["Low", "High"]
    assert only["assigned_to"] == [None, "eve@contoso.example"]
    assert only["classification"][1] == "TruePositive"
    assert only["tags"] == [["a", "b"], ["b", "c"]]
    assert "name" not in only
    assert "alert_count" not in only
    with scope.tenant(contoso.pk):
        change = IncidentChange.objects.get()
        assert change.seen_at == NOW + timedelta(minutes=1)
        assert change.updated_at == change.incident.updated_at


def test_what_differs_in_nothing_of_the_head_leaves_no_change(contoso: Tenant) -> None:
    store(contoso, incident(1, tags=["a", "b"]))
    store(contoso, incident(1, updated=60, tags=["b", "a"], comments=[{"comment": "seen", "createdBy": "eve"}]))
    store(contoso, incident(1, updated=60, tags=["b", "a"], comments=[{"comment": "seen", "createdBy": "eve"}]))
    assert changes(contoso) == []


def test_an_older_version_leaves_no_change(contoso: Tenant) -> None:
    store(contoso, incident(1, updated=60, status="Resolved"))
    store(contoso, incident(1, updated=30, status="Active"))
    assert changes(contoso) == []


def test_the_same_bytes_read_by_another_parser_are_no_change(contoso: Tenant) -> None:
    store(contoso, incident(1, severity="High"))
    with scope.tenant(contoso.pk):
        Incident.objects.update(parser_version=0, remote_severity="read otherwise")
    store(contoso, incident(1, severity="High"))
    with scope.tenant(contoso.pk):
        assert Incident.objects.get().remote_severity == "High"
    assert changes(contoso) == []


def test_a_merge_and_a_return_are_changes(contoso: Tenant) -> None:
    store(contoso, incident(1))
    store(contoso, incident(1, updated=60, status="Redirected", redirectIncidentId=2, alerts=[]))
    assert changes(contoso)[0]["redirect_number"] == [None, 2]
    assert changes(contoso)[0]["alert_count"] == [1, 0]
    with scope.tenant(contoso.pk):
        held = Incident.objects.all()
        history.note_gone(tenant_id=contoso.pk, incidents=held.values_list("pk", "updated_at"), now=NOW)
        held.update(gone_at=NOW)
    store(contoso, incident(1, updated=60, status="Redirected", redirectIncidentId=2, alerts=[]))
    assert changes(contoso)[1:] == [{"gone": [False, True]}, {"gone": [True, False]}]


def test_one_that_can_be_read_again_says_so_and_nothing_of_what_stood_in_its_place(contoso: Tenant) -> None:
    store(contoso, b'{"incidentId": 1, "lastUpdateTime": "2026-03-01T00:00:01Z", "alerts": [}')
    store(contoso, incident(1, updated=60))
    assert changes(contoso) == [{"is_stub": [True, False]}]


def test_the_history_names_the_pass_the_person_and_the_words_of_both_sides(contoso: Tenant) -> None:
    store(contoso, incident(1, tags=["a"], classification="Unknown"))
    later = NOW + timedelta(minutes=1)
    store(contoso, incident(1, updated=60, tags=["b"], classification="TruePositive"), now=later)
    store(contoso, incident(1, updated=90, tags=["b"], classification="FalsePositive"), now=later + timedelta(hours=1))
    with scope.operations():
        SyncRun.objects.create(tenant=contoso, kind=SyncRun.Kind.SWEEP, started_at=later)
    with scope.tenant(contoso.pk):
        found = Incident.objects.get()
        history.credit(incident=found, seen_at=later + timedelta(hours=1), by="Alice")
        (newest, older), more = history.history_of(found)
        assert history.history_of(found, most=1)[1] is True
    assert more is False
    assert (newest.by, newest.seen_by) == ("Alice", "")
    assert (older.by, older.seen_by) == ("", "sweep")
    told = {one.label: (one.before, one.after) for one in older.differences}
    assert told["Tags"] == ("a", "b")
    assert told["Classification"][1] == "True positive"
