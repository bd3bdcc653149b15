"""What a signed-in person was refused stands in the audit log, once, whether or not what they asked for exists."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.denials import ACTION, MOST
from audit.models import AuditEvent, Outcome
from tests.cast import Cast, make_cast, make_incident, make_person
from tests.conftest import WebClient

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    cast = make_cast()
    make_incident(cast.contoso, 7)
    return cast


def noted() -> list[dict[str, Any]]:
    rows = AuditEvent.objects.order_by("id").values("actor", "action", "outcome", "tenant", "subject", "details")
    return [{**row} for row in rows]


@pytest.mark.parametrize("slug", ["contoso", "nosuch"])
def test_what_exists_and_what_does_not_are_noted_alike(cast: Cast, client: WebClient, slug: str) -> None:
    client.force_login(cast.charlie)
    assert client.get(f"/incidents/{slug}/7/raw/").status_code == 404
    assert noted() == [
        {
            "actor": f"Charlie (#{cast.charlie.pk})",
            "action": ACTION,
            "outcome": Outcome.DENIED,
            "tenant": None,
            "subject": "GET /incidents/<slug:tenant>/<int:number>/raw/",
            "details": {"status": 404, "asked": {"tenant": slug, "number": "7"}},
        }
    ]


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/tenants/contoso/disconnect/", "post", 403),
        ("/tenants/contoso/disconnect/", "get", 405),
        ("/admin/", "get", 403),
    ],
)
def test_a_door_that_is_for_others_is_noted_too(
    cast: Cast, client: WebClient, path: str, method: str, status: int
) -> None:
    client.force_login(cast.charlie)
    assert getattr(client, method)(path).status_code == status
    assert [row["details"]["status"] for row in noted()] == [status]


def test_staff_who_open_an_incident_in_the_administration_without_a_grant_are_noted(
    cast: Cast, client: WebClient
) -> None:
    client.force_login(make_person("dana", is_staff=True))
    for key in (make_incident(cast.contoso, 9).pk, 999_999_999):
        assert client.get(f"/admin/incidents/incident/{key}/change/").status_code == 404
        assert client.get(f"/admin/incidents/incident/{key}/history/").status_code == 404
    assert [row["outcome"] for row in noted()] == [Outcome.DENIED] * 4


def test_what_was_granted_and_what_is_no_page_at_all_are_not_noted(cast: Cast, client: WebClient) -> None:
    client.force_login(cast.alice)
    assert client.get("/incidents/contoso/7/").status_code == 200
    assert client.get("/no/such/page/").status_code == 404
    assert [row for row in noted() if row["outcome"] == Outcome.DENIED] == []


def test_strangers_are_sent_to_sign_in_and_not_noted(cast: Cast, client: WebClient) -> None:
    assert client.get("/incidents/contoso/7/").status_code == 302
    assert client.get("/connect/nobody-has-this-secret/").status_code == 404
    assert noted() == []


def test_the_secret_of_a_link_is_never_noted_whoever_opens_it(cast: Cast, client: WebClient) -> None:
    client.force_login(cast.charlie)
    assert client.get("/connect/nobody-has-this-secret/").status_code == 404
    assert noted() == []


def test_nobody_can_flood_the_log(cast: Cast, client: WebClient, written_log: Callable[[], str]) -> None:
    client.force_login(cast.charlie)
    for number in range(MOST + 3):
        assert client.get(f"/incidents/contoso/{number}/").status_code == 404
    assert len(noted()) == MOST
    assert "more" in noted()[-1]["details"]
    assert "more" not in noted()[-2]["details"]
    assert written_log().count("a refusal more") == 3
    client.force_login(cast.bob)
    assert client.get("/incidents/northwind/7/").status_code == 404
    assert len(noted()) == MOST + 1, "each person has a minute of their own"


def test_what_was_asked_for_is_kept_in_part_only(cast: Cast, client: WebClient) -> None:
    client.force_login(cast.charlie)
    assert client.get(f"/tenants/{'x' * 3000}/").status_code == 404
    assert noted()[0]["details"]["asked"] == {"slug": "x" * 80}
