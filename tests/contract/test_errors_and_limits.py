"""Errors and limits. Microsoft Learn: "Common error codes", "List incidents API", "Get incident"; 429 is recorded."""

import re

import jwt
import pytest
import requests

from tests.sandbox.cloud import GRAPH, MDE, Cloud

MINUTE, HOUR = (50, "00:01:00"), (1500, "01:00:00")


def error_of(answer: requests.Response) -> dict[str, str]:
    body = answer.json()
    assert body.keys() == {"error"}
    error: dict[str, str] = body["error"]
    assert error.keys() == {"code", "message", "target"}
    assert all(isinstance(value, str) and value for value in error.values())
    return error


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/incidents/1", 404, "ResourceNotFound"),
        ("/api/incidents/words", 404, "ResourceNotFound"),
        ("/api/incidents/99999999999999999999999", 404, "ResourceNotFound"),
        ("/api/incidents/²", 404, "ResourceNotFound"),
        ("/api/nothing", 404, "NotFound"),
        ("/api/incidents?$top=101", 400, "ODataError"),
    ],
)
def test_an_error_has_a_code_a_message_and_a_tracking_id(cloud: Cloud, path: str, status: int, code: str) -> None:
    """Microsoft Learn: Common error codes; target is the tracking id."""
    answer = cloud.api(path)
    assert answer.status_code == status
    assert error_of(answer)["code"] == code


def test_tracking_ids_are_not_always_guids(cloud: Cloud) -> None:
    """Recorded: also of the form |b1838e63-40a6640ddd2719ac."""
    targets = [error_of(cloud.api("/api/incidents/1"))["target"] for _ in range(40)]
    forms = {re.sub("[0-9a-f]+", "x", target) for target in targets}
    assert forms == {"x-x-x-x-x", "|x-x."}


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer no-token", "Basic YTpi", "Bearer ey.ey.ey", "Bearer \xff"])
def test_without_a_good_token_the_answer_is_401(cloud: Cloud, header: str) -> None:
    answer = cloud.call("GET", "/api/incidents", headers={"Authorization": header.encode("latin-1")})
    assert (answer.status_code, error_of(answer)["code"]) == (401, "Unauthorized")


def test_a_token_that_was_changed_or_has_expired_is_401(cloud: Cloud) -> None:
    token = cloud.token()
    forged = jwt.encode(jwt.decode(token, options={"verify_signature": False}), "k" * 32, algorithm="HS256")
    assert cloud.call("GET", "/api/incidents", headers={"Authorization": f"Bearer {forged}"}).status_code == 401
    cloud.world.advance(seconds=5400)
    assert cloud.api("/api/incidents").status_code == 401


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("/api/incidents", MDE),
        ("/api/incidents", GRAPH),
        ("/api/machines", "https://api.security.microsoft.com"),
        ("/v1.0/security/incidents", MDE),
    ],
)
def test_a_token_for_another_api_is_403_not_401(cloud: Cloud, path: str, resource: str) -> None:
    """Microsoft Learn: the partner page warns of it."""
    assert cloud.api(path, resource=resource).status_code == 403


def test_a_missing_role_is_403_for_that_call_only(cloud: Cloud) -> None:
    tenant = cloud.world.tenant("contoso")
    cloud.world.approve(tenant, roles=["Incident.Read.All"])
    number = min(cloud.world.truth(tenant))
    assert cloud.api("/api/incidents").status_code == 200
    answer = cloud.api(f"/api/incidents/{number}", method="PATCH", json={"status": "Resolved"})
    assert (answer.status_code, error_of(answer)["code"]) == (403, "Forbidden")


def refused_after(cloud: Cloud, calls: int, path: str, method: str = "GET") -> requests.Response:
    """The answer to the call after ``calls`` good ones."""
    for _ in range(calls):
        assert cloud.api(path, method=method, json={"tags": []} if method == "PATCH" else None).status_code == 200
    return cloud.api(path, method=method)


@pytest.mark.parametrize(("method", "allowed"), [("LIST", 50), ("GET", 100), ("PATCH", 50)])
def test_calls_a_minute_are_limited_for_each_kind(cloud: Cloud, method: str, allowed: int) -> None:
    """Microsoft Learn: 50 lists, 100 gets and 50 updates a minute."""
    number = min(cloud.world.truth(cloud.world.tenant("contoso")))
    path = "/api/incidents?$top=1" if method == "LIST" else f"/api/incidents/{number}"
    cloud.world.retry_after = False
    answer = refused_after(cloud, allowed, path, "GET" if method == "LIST" else method)
    assert answer.status_code == 429
    said = error_of(answer)
    pattern = (
        rf"API calls quota exceeded! Maximum allowed {allowed} per 00:01:00 for the key "
        r"Destination\+TenantID\+AppID\. You can send requests again in (\d+) seconds\."
    )
    found = re.fullmatch(pattern, said["message"])
    assert found and 1 <= int(found[1]) <= 60
    assert (said["code"], said["target"]) == ("429", cloud.id_of("contoso"))
    assert "Retry-After" not in answer.headers
    cloud.world.advance(seconds=int(found[1]) + 1)
    assert cloud.api("/api/incidents?$top=1").status_code == 200


def test_calls_an_hour_are_limited(cloud: Cloud) -> None:
    """Microsoft Learn: 1,500 calls an hour."""
    tenant, now = cloud.id_of("contoso"), cloud.world.clock.seconds()
    for spent in range(1500):
        assert cloud.world.quotas.spend(tenant, "list", now=now + spent * 2) is None
    exceeded = cloud.world.quotas.spend(tenant, "list", now=now + 3000)
    assert exceeded is not None
    assert (exceeded.allowed, exceeded.span, exceeded.seconds) == (1500, "01:00:00", 600)
    assert cloud.world.quotas.spend(tenant, "list", now=now + 3601) is None


def test_one_tenants_calls_cost_another_nothing(cloud: Cloud) -> None:
    """Recorded: the key of the quota is destination, tenant and app."""
    assert refused_after(cloud, 50, "/api/incidents?$top=1").status_code == 429
    assert cloud.api("/api/incidents?$top=1", "fabrikam").status_code == 200
    assert cloud.api(f"/api/incidents/{min(cloud.world.truth(cloud.world.tenant('contoso')))}").status_code == 200


def test_a_429_carries_retry_after_in_some_tenants_only(cloud: Cloud) -> None:
    """Microsoft Learn names the header for Defender for Endpoint and only the body for incidents: both occur."""
    answers = {}
    for name in ("contoso", "fabrikam"):
        answers[name] = [cloud.api("/api/incidents?$top=1", name) for _ in range(51)][-1]
    assert {answer.status_code for answer in answers.values()} == {429}
    assert [("Retry-After" in answer.headers) for answer in answers.values()] == [True, False]
