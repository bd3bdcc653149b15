"""The attack story: alerts and evidence by time, whatever the times look like."""

from datetime import timedelta

import pytest

from incidents.models import Evidence, Incident
from incidents.story import story_of
from tenants import scope
from tests.cast import NOW, make_alert, make_evidence, make_incident, make_tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def found() -> Incident:
    return make_incident(make_tenant("Contoso"), 7)


def told(incident: Incident) -> list[str]:
    with scope.tenant(incident.tenant_id):
        return [f"{moment.label}: {moment.text}" for moment in story_of(incident).moments]


def seen_at(piece: Evidence, minutes: float) -> None:
    with scope.tenant(piece.tenant_id):
        Evidence.objects.filter(pk=piece.pk).update(first_seen_at=NOW + timedelta(minutes=minutes))


def test_alerts_and_evidence_stand_in_the_order_of_their_times(found: Incident) -> None:
    late = make_alert(found, "b", "Late", first_activity_at=NOW + timedelta(minutes=9))
    early = make_alert(found, "a", "Early", first_activity_at=NOW)
    seen_at(make_evidence(late, "file", "x.exe", fileName="x.exe"), 5)
    make_evidence(
        early, "process", "p", processCommandLine="cmd /c", processCreationTime="2026-03-02T09:03:00.1234567Z"
    )
    seen_at(make_evidence(early, "mailmessage", "m", subject="Invoice", sender="a@b.example"), 1)
    assert told(found) == ["Alert: Early", "Mail: Invoice", "Process: cmd /c", "File: x.exe", "Alert: Late"]


def test_a_piece_of_several_alerts_is_one_moment_its_earliest(found: Incident) -> None:
    for number, minutes in enumerate((30, 2)):
        alert = make_alert(found, str(number), f"Alert {number}", first_activity_at=NOW + timedelta(minutes=20))
        seen_at(make_evidence(alert, "ip", "203.0.113.9"), minutes)
    assert told(found) == ["IP address: 203.0.113.9", "Alert: Alert 0", "Alert: Alert 1"]


@pytest.mark.parametrize("sent", ["2026-02-45T09:00:00Z", "yesterday", "9" * 5000, "2026-03-02T09:00:00+02:00", ""])
def test_a_time_that_is_none_breaks_nothing(found: Incident, sent: str) -> None:
    alert = make_alert(found, "a", "Only")
    make_evidence(alert, "process", "p", processCommandLine="cmd", processCreationTime=sent)
    assert "Alert: Only" in told(found)


def test_devices_gone_alerts_and_what_has_no_time_are_left_out(found: Incident) -> None:
    alert = make_alert(found, "a", "There", first_activity_at=None)
    seen_at(make_evidence(alert, "device", "wks-1"), -90_000)
    make_evidence(alert, "user", "eve@contoso.example")
    gone = make_alert(found, "b", "Gone", gone_at=NOW)
    seen_at(make_evidence(gone, "ip", "203.0.113.9"), 1)
    assert told(found) == []


def test_the_story_is_paged_without_a_gap(found: Incident) -> None:
    for number in range(20):
        make_alert(found, f"a{number:02}", f"Alert {number}", first_activity_at=NOW + timedelta(minutes=number))
    with scope.tenant(found.tenant_id):
        first, rest = story_of(found), story_of(found, first=15, last=100)
    assert (len(first.moments), first.total, first.hidden) == (15, 20, 5)
    assert [moment.text for moment in (*first.moments, *rest.moments)] == [f"Alert {n}" for n in range(20)]
