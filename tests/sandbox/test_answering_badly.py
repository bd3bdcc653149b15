"""Calls of the control API that make no sense end with a sentence and change nothing."""

from typing import Any

import pytest

from tests.sandbox.cloud import Cloud

CONTOSO = "tenants/contoso"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{CONTOSO}/incidents", b"{"),
        (f"{CONTOSO}/incidents", b"[]"),
        (f"{CONTOSO}/incidents", b"\xff"),
        (f"{CONTOSO}/incidents", b"[" * 100_000),
        (f"{CONTOSO}/incidents", b'{"incidentId": "text"}'),
        (f"{CONTOSO}/incidents", b'{"lastUpdateTime": null}'),
        (f"{CONTOSO}/incidents", b'{"lastUpdateTime": "yesterday"}'),
        (f"{CONTOSO}/incidents", b'{"createdTime": "9999-99-99T00:00:00Z"}'),
        (f"{CONTOSO}/incidents", b'{"status": 7}'),
        (f"{CONTOSO}/merge", b"{}"),
        (f"{CONTOSO}/merge", b'{"source": "a", "target": [1]}'),
        (f"{CONTOSO}/incidents/1", b"{}"),
        (f"{CONTOSO}/consent", b'{"roles": "Incident.Read.All"}'),
        (f"{CONTOSO}/consent", b'{"roles": [1]}'),
        (f"{CONTOSO}/consent", b'{"resource": "nothing"}'),
        (f"{CONTOSO}/state", b"{}"),
        (f"{CONTOSO}/pace", b'{"pace": 1}'),
        (f"{CONTOSO}/faults", b'{"kind": ["slow"]}'),
        ("faults", b'{"kind": "slow", "seconds": "long"}'),
        ("faults", b'{"kind": "slow", "probability": 2}'),
        ("faults", b'{"kind": "slow", "count": 0}'),
        ("faults", b'{"kind": "slow", "on": [{}]}'),
        ("faults", b'{"kind": "status", "status": 1000}'),
        ("faults", b'{"kind": "poison", "way": "unheard of"}'),
        ("faults", b'{"kind": "throttle", "header": "a\\r\\nb"}'),
        ("incidents", b"{}"),
        ("pace", b"{}"),
        ("pace", b'{"pace": NaN}'),
        ("pace", b'{"pace": "fast"}'),
        ("clock", b'{"advance_seconds": Infinity}'),
        ("certificates", b'{"pem": "no certificate"}'),
        ("rotate-secret", b'{"value": 7}'),
    ],
)
def test_nonsense_is_refused_with_a_sentence(cloud: Cloud, path: str, body: bytes) -> None:
    before = cloud.world.truth(cloud.world.tenant("contoso"))
    answer = cloud.call("POST", f"/_sandbox/{path}", data=body)
    assert answer.status_code in (400, 404)
    assert answer.json().keys() == {"error"}
    assert len(answer.json()["error"]) > 8
    assert cloud.world.truth(cloud.world.tenant("contoso")) == before
    assert cloud.world.faults.active() == []


def test_what_the_page_cannot_do_is_said_on_a_page(cloud: Cloud) -> None:
    answer = cloud.call("POST", f"/_sandbox/{CONTOSO}/state", data={"_page": "1", "state": "<b>happy</b>"})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "&lt;b&gt;happy" in answer.text and "<b>happy" not in answer.text


def test_a_fault_reaches_one_operation_given_as_text(cloud: Cloud) -> None:
    assert cloud.control("faults", {"kind": "status", "on": "get"}).json()["on"] == ["get"]
    assert cloud.api("/api/incidents").status_code == 200


@pytest.mark.parametrize("path", ["/nothing", "/api/incidents/1/alerts", "/a/b/c/d", "/_sandbox/static/..%2fpanel.py"])
def test_an_address_that_is_not_there_is_404(cloud: Cloud, path: str) -> None:
    assert cloud.call("GET", path).status_code == 404


def test_the_root_leads_to_the_page(cloud: Cloud) -> None:
    assert [cloud.call("GET", path).headers["Location"] for path in ("/", "/_sandbox")] == ["/_sandbox/"] * 2


def test_no_secret_is_in_the_log_of_calls(cloud: Cloud) -> None:
    token, secret = cloud.token(), cloud.world.registration.secrets[0].value
    cloud.api("/api/incidents?$top=1")
    query: dict[str, Any] = {"state": "a-very-secret-state", "client_id": "x"}
    cloud.call("GET", f"/{cloud.id_of('contoso')}/adminconsent", params=query)
    written = cloud.call("GET", "/_sandbox/calls").text
    assert '"operation":"consent"' in written and '"operation":"list"' in written
    for kept in (token, token.split(".")[2], secret, "a-very-secret-state"):
        assert kept not in written
    panel = cloud.call("GET", "/_sandbox/").text
    assert token not in panel and "a-very-secret-state" not in panel
