"""The control API and its page: what it shows, what it does, and whom it does not listen to."""

from typing import Any

import pytest

from sandbox import life
from tests.sandbox.visits.visitor import Visitor


def act(visitor: Visitor, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
    return visitor.post(f"/_sandbox/{path}", json=body or {}, headers=headers)


def test_tenants_and_truth_are_there_to_compare_with(visitor: Visitor) -> None:
    rows = visitor.get("/_sandbox/tenants").json()["tenants"]
    assert (rows[0]["name"], rows[0]["state"]) == ("Contoso", "connected")
    tenant = visitor.world.tenant("contoso")
    found = visitor.get(f"/_sandbox/tenants/{tenant.tenant_id}/truth").json()["incidents"]
    assert {row["incident_id"]: row["raw"] for row in found} == visitor.world.truth(tenant)
    assert all(row["last_update_time"] == row["raw"]["lastUpdateTime"] for row in found)


def test_the_log_of_calls_knows_who_asked_but_no_token(visitor: Visitor) -> None:
    visitor.api("/api/incidents", params={"$top": "2"})
    answer = visitor.get("/_sandbox/calls?since=0")
    call = answer.json()["calls"][-1]
    assert (call["operation"], call["tenant_id"], call["status"]) == ("list", visitor.path_of("contoso"), 200)
    assert "top=2" in call["query"] and len(call["token"]) == 12
    assert visitor.token() not in answer.text
    assert visitor.world.registration.secrets[0].value not in answer.text
    assert visitor.get(f"/_sandbox/calls?since={answer.json()['last']}").json()["calls"] == []


def test_incidents_are_made_changed_and_merged(visitor: Visitor) -> None:
    here = f"tenants/{visitor.path_of('contoso')}"
    one = act(visitor, f"{here}/incidents", {"incidentName": "Ours", "severity": "High"}).json()
    two = act(visitor, f"{here}/incidents").json()
    assert (one["incidentName"], one["severity"]) == ("Ours", "High")
    changed = act(visitor, f"{here}/incidents/{one['incidentId']}", {"status": "Resolved"}).json()
    assert changed["status"] == "Resolved"
    act(visitor, f"{here}/merge", {"source": one["incidentId"], "target": two["incidentId"]})
    truth = visitor.world.truth(visitor.world.tenant("contoso"))
    assert truth[one["incidentId"]]["redirectIncidentId"] == two["incidentId"]


def test_consent_and_state_are_moved(visitor: Visitor) -> None:
    here, tenant = f"/_sandbox/tenants/{visitor.path_of('contoso')}", visitor.world.tenant("contoso")
    assert visitor.http.delete(f"{visitor.url}{here}/consent", timeout=10).json()["state"] == "revoked"
    assert act(visitor, f"tenants/{tenant.tenant_id}/consent", {"roles": ["Machine.Read.All"]}).json()["state"] == (
        "role_missing"
    )
    assert act(visitor, f"tenants/{tenant.tenant_id}/consent").json()["state"] == "connected"
    assert act(visitor, f"tenants/{tenant.tenant_id}/state", {"state": "slow"}).json()["state"] == "slow"


def test_faults_are_switched_on_shown_and_off(visitor: Visitor) -> None:
    tenant = visitor.path_of("contoso")
    made = act(visitor, f"tenants/{tenant}/faults", {"kind": "status", "status": 500, "count": 3}).json()
    assert (made["kind"], made["remaining"], made["options"]["status"]) == ("status", 3, 500)
    assert visitor.get("/_sandbox/tenants").json()["tenants"][0]["faults"] == ["status"]
    visitor.http.delete(f"{visitor.url}/_sandbox/tenants/{tenant}/faults", timeout=10)
    assert visitor.world.faults.active() == []


def test_clock_pace_and_secret_are_moved(visitor: Visitor) -> None:
    before = visitor.world.clock.seconds()
    assert act(visitor, "clock", {"advance_seconds": 120}).status_code == 200
    assert visitor.world.clock.seconds() >= before + 120
    assert act(visitor, "pace", {"pace": 2.5}).status_code == 200
    assert visitor.world.pace == 2.5
    secret = act(visitor, "rotate-secret").json()["client_secret"]
    assert visitor.ask(client_secret=secret).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("tenants/nobody/incidents", {}, 404),
        ("tenants/contoso/merge", {"source": 1, "target": 2}, 404),
        ("tenants/contoso/state", {"state": "happy"}, 400),
        ("tenants/contoso/faults", {"kind": "fire"}, 400),
        ("tenants/contoso/consent", {"roles": ["Everything.All"]}, 400),
        ("clock", {"advance_seconds": -5}, 400),
        ("pace", {"pace": -1}, 400),
        ("nothing", {}, 404),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(
    visitor: Visitor, path: str, body: dict[str, Any], status: int
) -> None:
    answer = act(visitor, path, body)
    assert answer.status_code == status
    assert answer.json()["error"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1"])
def test_a_page_of_another_site_steers_nothing(visitor: Visitor, origin: str) -> None:
    count = len(visitor.world.tenant("contoso").book)
    assert act(visitor, "tenants/contoso/incidents", Origin=origin).status_code == 403
    assert len(visitor.world.tenant("contoso").book) == count
    assert act(visitor, "tenants/contoso/incidents", Origin=visitor.url).status_code == 200


def test_a_name_that_was_rebound_to_loopback_steers_nothing(visitor: Visitor) -> None:
    answer = act(visitor, "tenants/contoso/incidents", Host="evil.example", Origin="http://evil.example")
    assert answer.status_code == 403


def test_the_page_shows_every_tenant_and_its_buttons_work(cast: Visitor) -> None:
    page = cast.get("/_sandbox/")
    assert "Munson&#x27;s Pickles" in page.text and "<script" not in page.text
    tenant = cast.world.tenant("Coho Vineyard")
    form = {"_page": "1"}
    back = cast.post(f"/_sandbox/tenants/{tenant.tenant_id}/consent", data=form, headers={"Origin": cast.url})
    assert (back.status_code, back.headers["Location"], tenant.state) == (303, "/_sandbox/", "connected")
    cast.post(f"/_sandbox/tenants/{tenant.tenant_id}/faults", data=form | {"kind": "throttle"})
    assert "throttle" in cast.world.describe(tenant)["faults"]
    style = cast.get("/_sandbox/static/sandbox.css")
    assert style.status_code == 200 and "prefers-color-scheme: dark" in style.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_an_address_with_nothing_behind_it_says_so_in_json(visitor: Visitor, method: str) -> None:
    answer = visitor.http.request(method, f"{visitor.url}/nothing/here", timeout=10)
    assert answer.status_code == 404
    assert method == "HEAD" or answer.json()["error"]["code"] == "NotFound"


def test_a_lively_world_moves_by_itself_and_a_quiet_one_does_not(visitor: Visitor) -> None:
    import time

    def total() -> int:
        return sum(len(tenant.book) for tenant in visitor.world.tenants.values())

    before = total()
    visitor.world.pace = 400
    until = time.monotonic() + 20
    while total() == before and time.monotonic() < until:
        time.sleep(0.02)
    assert total() > before


def test_arrivals_changes_and_merges_all_happen() -> None:
    import random

    from tests.sandbox.visits.visitor import small_world

    world = small_world()
    before = {tenant.tenant_id: len(tenant.book) for tenant in world.tenants.values()}
    for number in range(200):
        life.happen(world, random.Random(number))
    arrived = sum(len(tenant.book) - before[tenant.tenant_id] for tenant in world.tenants.values())
    assert 50 < arrived < 150
