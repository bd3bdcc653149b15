"""What programs read: changes, one incident, health."""

from collections.abc import Callable
from datetime import timedelta

from api.tokens import Reach
from incidents.models import Incident, IncidentRaw, IncidentTag
from tenants import scope
from tests.api.conftest import Program
from tests.cast import NOW, Cast, make_alert, make_evidence, make_incident

Of = Callable[..., Program]


def test_changes_come_page_by_page_and_end_with_a_cursor_to_go_on_from(cast: Cast, program: Of) -> None:
    for number in range(1, 6):
        make_incident(cast.contoso, number)
    alice = program(cast.alice)
    seen: list[int] = []
    sizes: list[int] = []
    cursor, more = "", True
    while more:
        page = alice.get(f"/api/v1/incidents/?limit=2&cursor={cursor}").json()
        seen += [one["number"] for one in page["incidents"]]
        sizes.append(len(page["incidents"]))
        cursor, more = page["cursor"], page["has_more"]
    assert (seen, sizes) == ([1, 2, 3, 4, 5], [2, 2, 1])
    again = alice.get("/api/v1/incidents/", {"cursor": cursor}).json()
    assert (again["incidents"], again["has_more"]) == ([], False)
    make_incident(cast.fabrikam, 6)
    with scope.tenant(cast.contoso.pk):
        Incident.objects.filter(number=2).update(name="Changed")
    later = alice.get("/api/v1/incidents/", {"cursor": again["cursor"]}).json()["incidents"]
    assert [(one["tenant"], one["number"], one["name"]) for one in later] == [
        ("fabrikam", 6, "Suspicious sign-in"),
        ("contoso", 2, "Changed"),
    ]


def test_updated_since_leaves_out_what_is_older_and_nothing_that_changes_afterwards(cast: Cast, program: Of) -> None:
    make_incident(cast.contoso, 1)
    make_incident(cast.contoso, 2, changed_at=NOW + timedelta(hours=1))
    alice, since = program(cast.alice), (NOW + timedelta(minutes=30)).isoformat()
    page = alice.get("/api/v1/incidents/", {"updated_since": since}).json()
    assert [one["number"] for one in page["incidents"]] == [2]
    make_incident(cast.contoso, 3)  # says an older time, and is written later
    later = alice.get("/api/v1/incidents/", {"updated_since": since, "cursor": page["cursor"]}).json()
    assert [one["number"] for one in later["incidents"]] == [3]


def test_a_cursor_of_somebody_else_of_another_question_or_made_up_is_refused_x5(cast: Cast, program: Of) -> None:
    make_incident(cast.contoso, 1)
    alice, bob = program(cast.alice), program(cast.bob)
    cursor = alice.get("/api/v1/incidents/").json()["cursor"]
    answers = [
        bob.get("/api/v1/incidents/", {"cursor": cursor}),
        alice.get("/api/v1/incidents/", {"cursor": cursor, "tenant": "contoso"}),
        alice.get("/api/v1/incidents/", {"cursor": cursor[:-4] + "AAAA"}),
        alice.get("/api/v1/incidents/", {"cursor": "ü"}),
    ]
    assert {(one.status_code, one.json()["detail"]) for one in answers} == {
        (400, "This cursor is not of this question. Leave it out to begin anew.")
    }
    assert program(cast.alice).get("/api/v1/incidents/", {"cursor": cursor}).status_code == 200, "another token of hers"


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
