"""Whoever opens an incident is written down: once per person, incident and hour. No line, no page."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django.urls import reverse
from django.utils import timezone

from accounts.roles import Role
from audit.models import AuditEvent
from audit.record import Actor
from incidents.models import Incident, Quarantine
from incidents.reading import note_read
from tenants import scope
from tests.cast import Cast, make_alert, make_cast, make_evidence, make_incident, make_person
from tests.conftest import WebClient

PAGES = ["", "alerts/", "evidence/?kind=ip", "raw/"]


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def incident(cast: Cast) -> Incident:
    made = make_incident(cast.contoso, 7)
    make_evidence(make_alert(made, "a"), "ip", "192.0.2.1")
    make_incident(cast.contoso, 8)
    make_incident(cast.fabrikam, 7)
    return made


def read() -> list[tuple[str, str, str]]:
    rows = AuditEvent.objects.filter(action="read incident").order_by("id")
    return [(row.actor.split()[0], str(row.tenant), row.subject) for row in rows]


@pytest.mark.parametrize("page", PAGES)
def test_each_way_to_look_at_an_incident_is_written_down(
    client: WebClient, cast: Cast, incident: Incident, page: str
) -> None:
    client.force_login(cast.bob)
    assert client.get(f"/incidents/contoso/7/{page}").status_code == 200
    assert read() == [("Bob", str(cast.contoso.entra_id), "incident 7")]


def test_once_per_person_incident_and_hour(client: WebClient, cast: Cast, incident: Incident) -> None:
    for person in (cast.alice, cast.bob):
        client.force_login(person)
        for _ in range(2):
            for page in PAGES:
                client.get(f"/incidents/contoso/7/{page}")
    client.force_login(cast.alice)
    client.get("/incidents/contoso/8/")
    client.get("/incidents/fabrikam/7/")
    contoso, fabrikam = str(cast.contoso.entra_id), str(cast.fabrikam.entra_id)
    assert read() == [
        ("Alice", contoso, "incident 7"), ("Bob", contoso, "incident 7"),
        ("Alice", contoso, "incident 8"), ("Alice", fabrikam, "incident 7"),
    ]  # fmt: skip


def test_an_hour_later_it_is_written_down_again(incident: Incident) -> None:
    now = timezone.now()
    for later in (0, 59, 61):
        note_read(incident, by=Actor("Bob (#2)"), now=now + timedelta(minutes=later))
    assert len(read()) == 2


def test_the_question_whether_anything_changed_is_no_look(client: WebClient, cast: Cast, incident: Incident) -> None:
    client.force_login(cast.bob)
    client.get("/incidents/contoso/7/changes/")
    assert read() == []


def test_a_page_that_is_refused_is_no_look(client: WebClient, cast: Cast, incident: Incident) -> None:
    client.force_login(cast.charlie)
    assert client.get("/incidents/contoso/7/").status_code == 404
    assert read() == []


def test_a_log_that_cannot_be_written_shows_no_incident(
    client: WebClient, cast: Cast, incident: Incident, audit_fails: Any
) -> None:
    client.force_login(cast.bob)
    client.raise_request_exception = False
    with audit_fails():
        assert client.get("/incidents/contoso/7/").status_code == 500
    assert client.get("/incidents/contoso/7/").status_code == 200


@pytest.mark.parametrize(("model", "subject"), [(Incident, "incident 7"), (Quarantine, "incident 5")])
def test_looking_in_the_administration_is_a_look_too(
    client: WebClient, cast: Cast, incident: Incident, model: type[Any], subject: str, audit_fails: Any
) -> None:
    with scope.tenant(cast.contoso.pk):
        kept = Quarantine.objects.create(
            tenant=cast.contoso, number=5, content_hash=b"0" * 16, reason="not-json", sentence="", body=b"{",
            size=1, parser_version=1, seen_at=timezone.now(),
        )  # fmt: skip
    client.force_login(make_person("dana", (cast.contoso, Role.VIEWER), is_staff=True))
    row = {Incident: incident, Quarantine: kept}[model]
    page = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
    assert client.get(page).status_code == 200
    assert read() == [("Dana", str(cast.contoso.entra_id), subject)]
    client.force_login(make_person("dora", (cast.contoso, Role.VIEWER), is_staff=True))
    with audit_fails(), pytest.raises(DatabaseError):
        client.get(page)
