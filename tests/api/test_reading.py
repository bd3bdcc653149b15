"""What programs read: changes, one incident, health."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from api.models import Verb
from api.tokens import Reach
from incidents.models import IncidentRaw, IncidentTag
from tests.api.conftest import Program
from tests.cast import NOW, Cast, make_alert, make_evidence, make_incident
from tenants import scope

Of = Callable[..., Program]


def test_changes_come_page_by_page_and_end_with_a_cursor_to_go_on_from(cast: Cast, program: Of) -> None:
    for number in range(1, 6):
        make_incident(cast.contoso, number)
    alice = program(cast.alice)
    seen, cursor, more = [], "", True
    while more:
        page = alice.get("/api/v1/incidents/", {"limit": 2, "cursor": cursor}).json()
        seen += [one["number"] for one in page["incidents"]]
        cursor, more = page["cursor"], page["has_more"]
    # Everything here is written by a transaction that still runs, so nothing may be shown yet.
    assert seen == []


def test_one_incident_has_alerts_evidence_tags_and_raw_where_asked_for(cast: Cast, program: Of) -> None:
    incident = make_incident(cast.contoso, 7, "Ransomware")
    make_evidence(make_alert(incident, "a-1"), "ip", "203.0.113.7")
    with scope.tenant(cast.contoso.pk):
        IncidentTag.objects.create(tenant=cast.contoso, incident=incident, tag="vip")
        IncidentRaw.objects.create(tenant=cast.contoso, incident=incident, body=b'{"incidentId": 7}')
    answer = program(cast.bob).get("/api/v1/incidents/contoso/7/", {"include": "raw"})
    assert answer.status_code == 200, answer.content
    found = answer.json()
    assert (found["name"], found["tags"], found["raw"]) == ("Ransomware", ["vip"], {"incidentId": 7})
    assert found["alerts"][0]["evidence"][0]["value"] == "203.0.113.7"
    assert "raw" not in program(cast.bob).get("/api/v1/incidents/contoso/7/").json()


def test_health_names_the_tokens_tenants_and_counts_what_is_open(cast: Cast, program: Of) -> None:
    make_incident(cast.contoso, 7)
    answer = program(cast.alice, reach=Reach(tenants=(cast.contoso,))).get("/api/v1/tenants/")
    assert [(one["tenant"], one["open_incidents"], one["state"]) for one in answer.json()["tenants"]] == [
        ("contoso", 1, "connected")
    ]
