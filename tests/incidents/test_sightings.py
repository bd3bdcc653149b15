"""Related incidents and "seen elsewhere": what is found, what a person does not get to know, and what it costs."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import override_settings

from incidents import sightings
from incidents.models import Incident
from incidents.telling import PER_KIND
from tenants import scope
from tenants.models import Tenant
from tests.cast import NOW, Cast, make_alert, make_cast, make_evidence, make_incident, make_person
from tests.conftest import WebClient, database_role
from tests.incidents.pages import Reader, read

pytestmark = pytest.mark.django_db

HASH = "ab" * 32
IP = "203.0.113.7"
COUNTED = override_settings(SEEN_ELSEWHERE_COUNTS_ALL=True)


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def seen(tenant: Tenant, number: int, *pieces: tuple[str, str], minutes: int = 0, name: str = "Incident") -> Incident:
    """An incident whose one alert carries these pieces."""
    made = make_incident(tenant, number, f"{name} {number}")
    at = NOW + timedelta(minutes=minutes)
    alert = make_alert(
        made, f"{tenant.slug}-{number}", first_activity_at=at, last_activity_at=at + timedelta(minutes=1)
    )
    for kind, value in pieces:
        make_evidence(alert, kind, value)
    return made


def page(client: WebClient, cast: Cast, name: str = "alice", number: int = 7) -> Reader:
    client.force_login(getattr(cast, name))
    answer = client.get(f"/incidents/contoso/{number}/sightings/")
    assert answer.status_code == 200
    return read(answer.content)


def test_related_are_those_that_share_most_values_first(client: WebClient, cast: Cast) -> None:
    seen(cast.contoso, 7, ("file", HASH), ("ip", IP), ("user", "eve@contoso.example"))
    seen(cast.contoso, 8, ("ip", IP), name="Shares one")
    seen(cast.contoso, 9, ("ip", IP), ("file", HASH), name="Shares two")
    seen(cast.contoso, 10, ("user", "eve@contoso.example"), name="Shares a user")
    seen(cast.contoso, 11, ("ip", "203.0.113.8"), name="Shares nothing")
    text = page(client, cast).text
    assert text.index("Shares two 9") < text.index("Shares a user 10") < text.index("Shares one 8")
    assert "Shares nothing" not in text
    assert "203[.]0[.]113[.]7" in text
    assert IP not in text


def test_seen_elsewhere_has_tenant_times_and_links_of_tenants_the_person_may_see(client: WebClient, cast: Cast) -> None:
    seen(cast.contoso, 7, ("file", HASH))
    seen(cast.fabrikam, 4, ("file", HASH), minutes=-60)
    seen(cast.fabrikam, 5, ("file", HASH), minutes=30)
    found = page(client, cast)
    assert "Fabrikam" in found.text
    assert {"/incidents/fabrikam/4/", "/incidents/fabrikam/5/"} <= set(found.links)
    assert found.moments == ["2026-03-02T08:00:00.000+00:00", "2026-03-02T09:31:00.000+00:00"]


def test_a_tenant_the_person_may_not_see_leaves_no_trace(client: WebClient, cast: Cast) -> None:
    seen(cast.contoso, 7, ("file", HASH))
    before = page(client, cast).text
    seen(cast.northwind, 3, ("file", HASH))
    assert page(client, cast).text == before
    assert "None of its hashes, addresses, URLs, senders and hosts (1 in all)" in before
    seen(cast.fabrikam, 4, ("file", HASH))
    assert "Fabrikam" not in page(client, cast, "bob").text


@COUNTED
def test_where_the_operator_wants_it_the_others_are_counted_without_names(client: WebClient, cast: Cast) -> None:
    seen(cast.contoso, 7, ("file", HASH), ("ip", IP))
    seen(cast.northwind, 3, ("file", HASH))
    seen(cast.northwind, 4, ("file", HASH))
    seen(cast.fabrikam, 5, ("file", HASH))
    of_alice, of_bob = page(client, cast).text, page(client, cast, "bob").text
    assert "Also in 1 tenant that you have no access to" in of_alice
    assert "Also in 2 tenants that you have no access to" in of_bob
    assert "Northwind" not in of_alice + of_bob
    assert "Fabrikam" not in of_bob
    assert "203[.]0" not in of_bob, "a value that nobody else holds is not listed"


@pytest.mark.parametrize(
    ("person", "value", "count"),
    [("alice", HASH, 1), ("bob", HASH, 2), ("charlie", HASH, 2), ("charlie", "cd" * 32, 0), ("nobody", HASH, 0)],
)
def test_the_function_counts_for_members_of_a_holder_and_for_nobody_else(
    cast: Cast, person: str, value: str, count: int
) -> None:
    for tenant in (cast.contoso, cast.fabrikam, cast.northwind):
        seen(tenant, 7, ("file", HASH))
    seen(cast.contoso, 8, ("file", "cd" * 32))
    user = make_person("nobody") if person == "nobody" else getattr(cast, person)
    with scope.person(user), database_role("web"), connection.cursor() as cursor:
        cursor.execute("SELECT incidents_tenants_out_of_sight(%s)", [value])
        assert cursor.fetchone() == (count,)


def test_a_value_in_too_many_places_is_called_common(
    client: WebClient, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sightings, "PIECES_ELSEWHERE", 3)
    seen(cast.contoso, 7, ("file", HASH))
    for number in range(5):
        seen(cast.fabrikam, number, ("file", HASH))
    found = page(client, cast)
    assert "In too many places to mean a link" in found.text
    assert not [link for link in found.links if "fabrikam" in link]


def test_an_incident_of_its_own_does_not_crowd_out_the_others(
    client: WebClient, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sightings, "PIECES_HERE", 3)
    seen(cast.contoso, 6, ("ip", IP), name="Older")
    made = seen(cast.contoso, 7, ("ip", IP))
    for number in range(20):
        make_evidence(make_alert(made, f"more-{number}"), "ip", IP)
    assert "Older 6" in page(client, cast).text


def test_what_has_nothing_to_look_for_says_so(client: WebClient, cast: Cast) -> None:
    seen(cast.contoso, 7, ("ip", "10.0.0.1"), ("process", "cmd.exe"))
    assert "no hash, public address" in page(client, cast).text


def test_the_kinds_of_the_index_are_those_of_the_statements() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_indexdef('evidence_by_exact_value'::regclass)")
        definition = cursor.fetchone()[0]
    named = set(re.findall(r"'(\w+)'", definition))
    assert named == set(PER_KIND) == set(re.findall(r"'(\w+)'", sightings._KINDS))
