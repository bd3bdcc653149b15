"""Incidents in the administration: staff look, change nothing, and see no more than their grants give them."""

import pytest

from accounts.roles import Role
from incidents.models import Quarantine, Severity
from tenants import scope
from tests.cast import NOW, Cast, make_cast, make_incident, make_person
from tests.conftest import WebClient
from tests.incidents.pages import HOSTILE, assert_harmless, read

pytestmark = pytest.mark.django_db

LIST = "/admin/incidents/incident/"
KEPT = "/admin/incidents/quarantine/"


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def dana(cast: Cast, client: WebClient) -> WebClient:
    client.force_login(make_person("dana", (cast.contoso, Role.VIEWER), is_staff=True))
    return client


def quarantined(cast: Cast, body: bytes) -> Quarantine:
    with scope.tenant(cast.contoso.pk):
        return Quarantine.objects.create(
            tenant=cast.contoso,
            number=5,
            content_hash=b"0" * 16,
            reason="not-json",
            sentence="This is not JSON.",
            body=body,
            size=len(body),
            parser_version=1,
            seen_at=NOW,
        )


def test_staff_see_incidents_of_their_grants_and_filters_name_no_other_tenant(cast: Cast, dana: WebClient) -> None:
    make_incident(cast.contoso, 1, "Ours", severity=Severity.HIGH)
    foreign = make_incident(cast.northwind, 2, "Theirs")
    for path in (LIST, KEPT):
        answer = dana.get(path)
        assert answer.status_code == 200
        assert b"Northwind" not in answer.content
    assert b"Ours" in dana.get(f"{LIST}?severity__exact=4").content
    assert b"Theirs" not in dana.get(f"{LIST}?tenant=northwind").content
    assert dana.get(f"{LIST}{foreign.pk}/change/").status_code in {302, 404}


@pytest.mark.parametrize("name", ["alice", "bob", "charlie"])
def test_people_who_are_not_staff_are_turned_away(cast: Cast, client: WebClient, name: str) -> None:
    client.force_login(getattr(cast, name))
    for path in (LIST, KEPT):
        assert client.get(path).status_code == 403 or client.get(path, follow=True).status_code == 403


@pytest.mark.parametrize(
    ("words", "found"),
    [("7", True), ("phishing contoso-dc", True), ("phishing absent", False), ("%", False), ("9" * 30, False)],
)
def test_search_is_by_number_and_by_words_that_all_occur(cast: Cast, dana: WebClient, words: str, found: bool) -> None:
    make_incident(cast.contoso, 7, "Phishing mail", host="contoso-dc")
    assert ("Phishing mail" in read(dana.get(LIST, {"q": words}).content).text) is found


def test_nothing_can_be_added_changed_or_deleted(cast: Cast, dana: WebClient) -> None:
    made = make_incident(cast.contoso, 1)
    for path in (f"{LIST}add/", f"{LIST}{made.pk}/delete/"):
        assert dana.get(path).status_code == 403
        assert dana.post(path).status_code == 403
    assert dana.post(f"{LIST}{made.pk}/change/", {"name": "x"}).status_code == 403
    assert b'name="_save"' not in dana.get(f"{LIST}{made.pk}/change/").content


def test_quarantine_shows_why_and_the_first_bytes_as_escapes(cast: Cast, dana: WebClient) -> None:
    kept = quarantined(cast, "\u202e<script>alert(1)</script>\x00".encode() + b"\xff" + b"x" * 10_000)
    answer = dana.get(f"{KEPT}{kept.pk}/change/")
    text = read(answer.content).text
    assert "This is not JSON." in text
    assert "\\u202e<script>alert(1)</script>\\x00\\\\xff" in text
    assert len(answer.content) < 40_000
    assert b"<script>alert" not in answer.content


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_names_stay_text(cast: Cast, dana: WebClient, payload: str) -> None:
    made = make_incident(cast.contoso, 1, payload, assigned_to=payload)
    for path in (LIST, f"{LIST}{made.pk}/change/"):
        page = dana.get(path).content
        assert_harmless(page.replace(b'<img src="/static/admin/', b'<i data-src="'))  # Django's own icons
