"""One page into the database: what stands there afterwards, and that nothing more is written than has changed."""

from typing import Any

import pytest
from django.db import connection

from incidents import rollup
from incidents.models import Alert, Comment, Evidence, Incident, IncidentRaw, IncidentSearch, Severity, Status
from tenants import scope
from tenants.models import Tenant
from tests.defender.payloads import documented_alert, documented_entity
from tests.incidents.arranged import NOW, connected_tenant, incident, moment, newest_first, sent, store

pytestmark = [pytest.mark.django_db, pytest.mark.short]

TABLES = (
    "incident",
    "incidentraw",
    "incidentsearch",
    "alert",
    "evidence",
    "incidenttag",
    "incidenttechnique",
    "comment",
    "incidentchange",
    "rollup",
    "quarantine",
)


@pytest.fixture
def contoso() -> Tenant:
    return connected_tenant()


def row_versions() -> dict[str, list[tuple[str, ...]]]:
    """Where each row stands and which transaction wrote it: equal before and after only if nothing was written."""
    with connection.cursor() as cursor:
        found = {}
        for table in TABLES:
            cursor.execute(f"SELECT ctid::text, xmin::text, xmax::text FROM incidents_{table} ORDER BY 1")  # noqa: S608
            found[table] = cursor.fetchall()
    return found


def the(tenant: Tenant, number: int) -> Incident:
    with scope.tenant(tenant.pk):
        return Incident.objects.get(number=number)


def assert_rollup_is_exact(tenant: Tenant) -> None:
    with scope.tenant(tenant.pk):
        assert rollup.kept(tenant.pk) == rollup.counted(tenant.pk)


def test_a_page_is_stored_with_alerts_evidence_labels_comments_and_bytes(contoso: Tenant) -> None:
    raw = incident(7, tags=["vip", "night"], comments=[{"comment": "seen", "createdBy": "a", "createdTime": moment(1)}])
    result = store(contoso, raw)
    assert (result.seen, result.new, result.changed, result.merged, result.quarantined) == (1, 1, 0, 0, 0)
    with scope.tenant(contoso.pk):
        stored = Incident.objects.get(number=7)
        assert (stored.name, stored.updated_text) == (raw["incidentName"], raw["lastUpdateTime"])
        assert stored.updated_at.microsecond == 123456, "cut, not rounded"
        assert sorted(stored.tags.values_list("tag", flat=True)) == ["night", "vip"]
        assert sorted(stored.techniques.values_list("technique", flat=True)) == ["T1003", "T1003.001"]
        assert Comment.objects.get(incident=stored).text == "seen"
        alert = Alert.objects.get(incident=stored)
        assert (alert.alert_id, stored.alert_count) == ("da7_1", 1)
        assert Evidence.objects.filter(alert=alert).count() == stored.evidence_count == 5
        assert bytes(IncidentRaw.objects.get(incident=stored).body) == sent(raw)
        assert "grab.exe" in IncidentSearch.objects.get(incident=stored).text
    assert_rollup_is_exact(contoso)


def test_an_unchanged_page_writes_nothing(contoso: Tenant) -> None:
    page = newest_first([incident(n) for n in range(1, 101)])
    poison = b'{"incidentId": 500, "lastUpdateTime": "2026-03-01T00:00:00Z", "alerts": [}'
    store(contoso, *page, poison)
    before = row_versions()
    assert len(before["incident"]) == 101
    result = store(contoso, *page, poison)
    assert (result.seen, result.new, result.changed, result.quarantined) == (101, 0, 0, 0)
    assert row_versions() == before


def test_only_what_changed_inside_an_incident_is_written(contoso: Tenant) -> None:
    quiet, loud = documented_alert(1, alertId="quiet"), documented_alert(2, alertId="loud", status="New")
    store(contoso, incident(1, alerts=[quiet, loud]), incident(2))
    before = row_versions()
    store(contoso, incident(1, updated=9, alerts=[quiet, {**loud, "status": "Resolved"}]), incident(2))
    after = row_versions()
    assert len(set(after["incident"]) - set(before["incident"])) == 1
    assert len(set(after["alert"]) - set(before["alert"])) == 1
    assert after["evidence"] == before["evidence"]
    assert after["incidenttechnique"] == before["incidenttechnique"]


def test_f23_one_row_per_incident_whatever_its_versions(contoso: Tenant) -> None:
    store(contoso, incident(1, status="Active"))
    result = store(contoso, incident(1, updated=5, status="Resolved"))
    assert (result.new, result.changed) == (0, 1)
    with scope.tenant(contoso.pk):
        only = Incident.objects.get()
    assert (only.status, only.is_open) == (Status.RESOLVED, False)
    assert_rollup_is_exact(contoso)


def test_an_older_version_never_replaces_a_newer_one(contoso: Tenant) -> None:
    store(contoso, incident(1, updated="2026-03-01T00:00:00.1234568Z", incidentName="newer"))
    result = store(contoso, incident(1, updated="2026-03-01T00:00:00.1234567Z", incidentName="older"))
    assert result.changed == 0
    assert the(contoso, 1).name == "newer", "the seventh digit decides"


def test_other_bytes_at_the_same_time_are_taken(contoso: Tenant) -> None:
    store(contoso, incident(1, updated=5, severity="High"))
    result = store(contoso, incident(1, updated=5, severity="Low"))
    assert result.changed == 1
    assert the(contoso, 1).severity == Severity.LOW
    assert_rollup_is_exact(contoso)


def test_sync_f13_a_date_from_the_future_does_not_freeze_an_incident(contoso: Tenant) -> None:
    store(contoso, incident(1, updated="2999-01-01T00:00:00Z", severity="Low"))
    assert store(contoso, incident(1, updated="2999-01-01T00:00:00Z", severity="Low")).changed == 0
    assert store(contoso, incident(1, updated=5, severity="High")).changed == 1
    assert (the(contoso, 1).severity, the(contoso, 1).updated_text) == (Severity.HIGH, moment(5))
    assert store(contoso, incident(1, updated=4, severity="Low")).changed == 0, "from here on newer wins again"
    assert_rollup_is_exact(contoso)


@pytest.mark.parametrize("in_order", [True, False])
def test_sync_f9_of_duplicates_on_one_page_the_newest_wins(contoso: Tenant, in_order: bool) -> None:
    both = [incident(1, updated=9, incidentName="newer"), incident(1, updated=5, incidentName="older")]
    result = store(contoso, *(both if in_order else both[::-1]))
    assert (result.seen, result.new, result.newest_first) == (2, 1, in_order)
    assert the(contoso, 1).name == "newer"
    assert_rollup_is_exact(contoso)


def test_f24_sync_f15_an_alert_that_moves_keeps_its_row(contoso: Tenant) -> None:
    alert = documented_alert(1, alertId="mover")
    store(contoso, incident(1, alerts=[alert]), incident(2, alerts=[]))
    with scope.tenant(contoso.pk):
        before = Alert.objects.get().pk
    store(contoso, incident(2, updated=9, alerts=[{**alert, "incidentId": 2}]), incident(1, updated=8, alerts=[]))
    with scope.tenant(contoso.pk):
        moved = Alert.objects.select_related("incident").get()
    assert (moved.pk, moved.incident.number, moved.gone_at) == (before, 2, None)


def test_sync_f15_an_alert_that_leaves_is_marked_and_comes_back(contoso: Tenant) -> None:
    stays, leaves = documented_alert(1, alertId="stays"), documented_alert(2, alertId="leaves")
    store(contoso, incident(1, alerts=[stays, leaves]))
    store(contoso, incident(1, updated=5, alerts=[stays]))
    with scope.tenant(contoso.pk):
        assert dict(Alert.objects.values_list("alert_id", "gone_at")) == {"stays": None, "leaves": NOW}
        assert Evidence.objects.filter(alert__alert_id="leaves").exists()
    store(contoso, incident(1, updated=6, alerts=[stays, leaves]))
    with scope.tenant(contoso.pk):
        assert set(Alert.objects.values_list("gone_at", flat=True)) == {None}


def test_evidence_and_labels_that_were_taken_away_go(contoso: Tenant) -> None:
    entity = documented_entity("Ip", ipAddress="192.0.2.9")
    comments = [{"comment": "one", "createdBy": "a"}, {"comment": "two", "createdBy": "a"}]
    alert = documented_alert(1, devices=[], entities=[entity, documented_entity("Ip", ipAddress="192.0.2.10")])
    store(contoso, incident(1, alerts=[alert], tags=["a", "b"], comments=comments))
    less = {**alert, "entities": [{**entity, "verdict": "Malicious"}], "mitreTechniques": ["T1078"]}
    store(contoso, incident(1, updated=5, alerts=[less], tags=["b", "c"], comments=comments[:1]))
    with scope.tenant(contoso.pk):
        assert list(Evidence.objects.values_list("value", "verdict")) == [("192.0.2.9", "Malicious")]
        stored = Incident.objects.get()
        assert sorted(stored.tags.values_list("tag", flat=True)) == ["b", "c"]
        assert list(stored.techniques.values_list("technique", flat=True)) == ["T1078"]
        assert [comment.text for comment in stored.comments.all()] == ["one"]


def test_f21_a_merged_incident_stays_as_an_alias(contoso: Tenant) -> None:
    alert = documented_alert(1, alertId="moves along")
    store(contoso, incident(1, alerts=[alert]), incident(2, alerts=[]))
    shell = incident(1, updated=8, status="Redirected", redirectIncidentId=2, alerts=[])
    result = store(contoso, incident(2, updated=9, alerts=[alert]), shell)
    assert (result.merged, result.changed, result.targets) == (1, 2, frozenset({2}))
    alias = the(contoso, 1)
    assert (alias.status, alias.is_open, alias.redirect_number) == (Status.REDIRECTED, False, 2)
    with scope.tenant(contoso.pk):
        assert Alert.objects.get().incident_id == the(contoso, 2).pk
    again = store(contoso, {**shell, "lastUpdateTime": moment(10), "tags": ["x"]})
    assert (again.merged, again.changed) == (0, 1), "merged once"
    assert_rollup_is_exact(contoso)


def test_the_same_number_in_two_tenants_is_two_incidents(contoso: Tenant) -> None:
    fabrikam = connected_tenant("Fabrikam")
    store(contoso, incident(1, incidentName="ours"))
    store(fabrikam, incident(1, incidentName="theirs"))
    assert (the(contoso, 1).name, the(fabrikam, 1).name) == ("ours", "theirs")
    with scope.tenant(fabrikam.pk):
        assert Alert.objects.count() == 1


def test_sync_f13_an_incident_without_a_readable_time_is_stored_all_the_same(contoso: Tenant) -> None:
    result = store(contoso, incident(1, updated="0001-01-01T00:00:00Z", createdTime=None), incident(2))
    assert (result.new, result.newest_text, result.oldest_text) == (2, moment(2), moment(2))
    assert (the(contoso, 1).updated_at, the(contoso, 1).updated_text) == (NOW, "0001-01-01T00:00:00Z")


def test_the_span_of_a_page_keeps_every_digit(contoso: Tenant) -> None:
    texts = ["2026-03-01T00:00:00.9999999Z", "2026-03-01T00:00:00.9999998Z", "2026-03-01T00:00:00Z"]
    result = store(contoso, *(incident(n, updated=text) for n, text in enumerate(texts, 1)))
    assert (result.newest_text, result.oldest_text, result.newest_first) == (texts[0], texts[2], True)
    shuffled = store(contoso, *(incident(n, updated=text) for n, text in ((3, texts[2]), (1, texts[0]), (2, texts[1]))))
    assert (shuffled.newest_text, shuffled.oldest_text, shuffled.newest_first) == (texts[0], texts[2], False)


def test_the_counts_stay_exact_through_any_mixture_of_changes(contoso: Tenant) -> None:
    statuses, severities = ["Active", "InProgress", "Resolved", "Odd"], ["Low", "High", "UnSpecified"]
    for turn in range(6):
        page: list[Any] = [
            incident(
                n,
                updated=turn * 50 + n,
                status=statuses[(n + turn) % 4],
                severity=severities[(n * turn) % 3],
                assignedTo=None if (n + turn) % 2 else "alice@contoso.com",
            )
            for n in range(1 + turn, 20 + turn)
        ]
        store(contoso, *page)
        assert_rollup_is_exact(contoso)


def test_an_empty_page_is_no_error(contoso: Tenant) -> None:
    assert store(contoso).seen == 0
