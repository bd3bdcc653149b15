"""PATCH and GET /api/incidents/{id}. Microsoft Learn: Update incidents API, Get incident API."""

from typing import Any

import pytest
import requests

from sandbox.moments import ticks_of
from tests.sandbox.cloud import Cloud


@pytest.fixture
def number(cloud: Cloud) -> int:
    """An open incident of Contoso's that nobody has judged yet."""
    truth = cloud.world.truth(cloud.world.tenant("contoso"))
    return next(n for n, raw in truth.items() if raw["status"] == "Active" and raw["classification"] == "Unknown")


def patch(cloud: Cloud, number: int, body: Any) -> requests.Response:
    return cloud.api(f"/api/incidents/{number}", method="PATCH", json=body)


def test_an_incident_is_read_by_its_number_as_the_list_shows_it(cloud: Cloud, number: int) -> None:
    listed = next(one for one in cloud.incidents() if one["incidentId"] == number)
    assert cloud.api(f"/api/incidents/{number}").json() == listed


def test_what_is_sent_changes_and_what_is_left_out_stays(cloud: Cloud, number: int) -> None:
    before = cloud.api(f"/api/incidents/{number}").json()
    answer = patch(cloud, number, {"status": "InProgress", "assignedTo": "alice@partner.example"})
    assert answer.status_code == 200
    after = answer.json()
    assert after == cloud.api(f"/api/incidents/{number}").json()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"status", "assignedTo", "lastUpdateTime"}
    assert ticks_of(after["lastUpdateTime"]) > ticks_of(before["lastUpdateTime"])
    assert cloud.incidents()[0]["incidentId"] == number


def test_a_comment_is_appended_in_the_name_of_the_application(cloud: Cloud, number: int) -> None:
    patch(cloud, number, {"comment": "first"})
    comments = patch(cloud, number, {"comment": 'second "quoted"\nline'}).json()["comments"]
    assert [one["comment"] for one in comments[-2:]] == ["first", 'second "quoted"\nline']
    assert cloud.world.registration.client_id in comments[-1]["createdBy"]


def test_tags_are_replaced_and_an_assignee_is_taken_away(cloud: Cloud, number: int) -> None:
    assert patch(cloud, number, {"tags": ["a", "b"], "assignedTo": "x@y.example"}).json()["tags"] == ["a", "b"]
    assert patch(cloud, number, {"tags": ["c"]}).json()["tags"] == ["c"]
    assert patch(cloud, number, {"assignedTo": ""}).json()["assignedTo"] is None
    assert patch(cloud, number, {"assignedTo": None}).json()["assignedTo"] is None


@pytest.mark.parametrize(
    ("classification", "sent", "stored"),
    [
        ("TruePositive", "CompromisedUser", "CompromisedUser"),
        ("TruePositive", "CompromisedAccount", "CompromisedUser"),
        ("InformationalExpectedActivity", "ConfirmedActivity", "ConfirmedUserActivity"),
        ("InformationalExpectedActivity", "SecurityTesting", "SecurityTesting"),
        ("FalsePositive", "NoEnoughDataToValidate", "InsufficientData"),
        ("FalsePositive", "Clean", "Clean"),
    ],
)
def test_both_documented_spellings_of_a_determination_are_taken(
    cloud: Cloud, number: int, classification: str, sent: str, stored: str
) -> None:
    """The list page and the update page spell them differently."""
    after = patch(cloud, number, {"classification": classification, "determination": sent}).json()
    assert (after["classification"], after["determination"]) == (classification, stored)


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "text",
        {"Status": "Resolved"},
        {"status": "Done"},
        {"status": None},
        {"status": ["Active"]},
        {"assignedTo": 7},
        {"classification": "Unknown"},
        {"classification": "TruePositive", "determination": "Clean"},
        {"determination": "Malware"},
        {"determination": ["Malware"]},
        {"tags": "one"},
        {"tags": [1]},
        {"comment": ""},
        {"comment": None},
        {"severity": "High"},
        {"incidentName": "new"},
    ],
)
def test_a_body_that_is_wrong_changes_nothing(cloud: Cloud, number: int, body: Any) -> None:
    """Microsoft Learn: 400 InvalidRequestBody; parameter names are case-sensitive."""
    before = cloud.api(f"/api/incidents/{number}").json()
    answer = patch(cloud, number, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequestBody")
    assert cloud.api(f"/api/incidents/{number}").json() == before


def test_a_body_that_is_not_json_is_refused(cloud: Cloud, number: int) -> None:
    for body in (b"", b"{", b"\xff", b"[" * 100_000):
        assert cloud.api(f"/api/incidents/{number}", method="PATCH", data=body).status_code == 400


def test_an_unknown_incident_is_404(cloud: Cloud) -> None:
    answer = patch(cloud, 1, {"status": "Resolved"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceNotFound")


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_other_methods_are_not_offered(cloud: Cloud, number: int, method: str) -> None:
    assert cloud.api(f"/api/incidents/{number}", method=method).status_code == 405
