"""The one door: who may do what with an incident, and that outsiders cannot tell a closed door from a wall."""

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404

from accounts.models import User
from accounts.roles import Permission
from incidents.access import access_incident, may
from tenants import scope
from tenants.models import Grant
from tests.cast import Cast, make_cast, make_incident, make_person
from tests.conftest import WebClient, database_role

pytestmark = pytest.mark.django_db

HEADERS_OF_THE_REQUEST = {"x-request-id", "set-cookie"}


@pytest.fixture
def cast() -> Cast:
    cast = make_cast()
    make_incident(cast.contoso, 7, "Contoso's own")
    make_incident(cast.northwind, 7, "Northwind's own")
    return cast


def opened(user: User, slug: str, number: int, to: Permission) -> str:
    with database_role("web"), scope.person(user):
        return access_incident(user, slug, number, to=to).name


def test_an_analyst_reads_and_triages(cast: Cast) -> None:
    assert opened(cast.alice, "contoso", 7, Permission.READ_INCIDENTS) == "Contoso's own"
    assert opened(cast.alice, "contoso", 7, Permission.TRIAGE) == "Contoso's own"


def test_a_viewer_reads_and_is_told_that_triage_is_not_theirs(cast: Cast) -> None:
    assert opened(cast.bob, "contoso", 7, Permission.READ_INCIDENTS) == "Contoso's own"
    with pytest.raises(PermissionDenied):
        opened(cast.bob, "contoso", 7, Permission.TRIAGE)


@pytest.mark.parametrize("to", list(Permission))
def test_an_outsider_finds_nothing_whatever_they_want_to_do(cast: Cast, to: Permission) -> None:
    with pytest.raises(Http404):
        opened(cast.charlie, "contoso", 7, to)


def test_the_same_number_in_another_tenant_is_another_incident(cast: Cast) -> None:
    assert opened(cast.charlie, "northwind", 7, Permission.TRIAGE) == "Northwind's own"


def test_staff_without_a_grant_read_no_incident(cast: Cast) -> None:
    dana = make_person("dana", is_staff=True)
    with pytest.raises(Http404):
        opened(dana, "contoso", 7, Permission.READ_INCIDENTS)


def test_a_person_who_may_not_sign_in_any_more_may_do_nothing(cast: Cast) -> None:
    cast.alice.is_active = False
    with scope.person(cast.alice):
        assert not may(cast.alice, cast.contoso.pk, to=Permission.READ_INCIDENTS)


def test_a_grant_taken_away_closes_the_door_at_once(cast: Cast) -> None:
    Grant.objects.filter(user=cast.bob).delete()
    with pytest.raises(Http404):
        opened(cast.bob, "contoso", 7, Permission.READ_INCIDENTS)


@pytest.mark.parametrize("part", ["", "alerts/", "evidence/?kind=ip", "raw/", "changes/"])
def test_an_incident_of_others_answers_byte_for_byte_like_none(cast: Cast, client: WebClient, part: str) -> None:
    client.force_login(cast.charlie)
    answers = [
        client.get(f"/incidents/{path}/{part}") for path in ("contoso/7", "contoso/8", "nosuch/7", f"contoso/{2**70}")
    ]
    seen = {
        (
            answer.status_code,
            answer.content,
            tuple(sorted((k, v) for k, v in answer.headers.items() if k.lower() not in HEADERS_OF_THE_REQUEST)),
        )
        for answer in answers
    }
    assert len(seen) == 1
    assert answers[0].status_code == 404


@pytest.mark.parametrize("path", ["", "rows/", "contoso/7/", "contoso/7/alerts/", "contoso/7/raw/"])
def test_nobody_signed_in_is_sent_to_sign_in(cast: Cast, client: WebClient, path: str) -> None:
    answer = client.get(f"/incidents/{path}")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/sign-in/")


@pytest.mark.parametrize(
    "path", ["", "rows/", "contoso/7/", "contoso/7/alerts/", "contoso/7/raw/", "contoso/7/changes/"]
)
def test_pages_are_read_and_never_written_to(cast: Cast, client: WebClient, path: str) -> None:
    client.force_login(cast.alice)
    assert client.post(f"/incidents/{path}").status_code == 405


def test_signed_in_pages_are_not_stored(cast: Cast, client: WebClient) -> None:
    client.force_login(cast.alice)
    for path in ("/incidents/", "/incidents/contoso/7/", "/incidents/contoso/9/"):
        assert "no-store" in client.get(path).headers["Cache-Control"]
