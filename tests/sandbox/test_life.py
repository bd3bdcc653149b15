"""What happens by itself, and how the tenants with troubles behave for a portal that polls every ten seconds."""

import random
import time
from collections.abc import Callable

import pytest

from sandbox import life
from sandbox.gate import BUSY_SECONDS, busy_for
from sandbox.moments import ticks_of
from sandbox.world import World
from tests.sandbox.cloud import Cloud


def eventually(question: Callable[[], bool], *, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < until, f"not within {seconds} s"
        time.sleep(0.02)


def small() -> World:
    return World(seed=7, tenants=["Contoso", "Fabrikam"], incidents=(30, 40))


def test_at_a_pace_incidents_arrive_change_and_merge_by_themselves(cloud: Cloud) -> None:
    world = cloud.world
    before = {tenant.tenant_id: world.truth(tenant) for tenant in world.tenants.values()}

    def has_lived() -> bool:
        arrived = changed = merged = False
        for tenant in world.tenants.values():
            for number, raw in world.truth(tenant).items():
                earlier = before[tenant.tenant_id].get(number)
                arrived |= earlier is None
                changed |= earlier is not None and raw != earlier
                merged |= bool(earlier and raw["status"] == "Redirected" != earlier["status"])
        return arrived and changed and merged

    assert cloud.control("pace", {"pace": 1000}).status_code == 200
    eventually(has_lived)
    assert cloud.control("pace", {"pace": 0}).status_code == 200
    assert cloud.control("health", method="GET").json()["pace"] == 0


def test_nothing_is_ever_updated_in_the_future_and_every_change_is_newer() -> None:
    world, rng = small(), random.Random(1)
    versions: dict[tuple[str, int], int] = {}
    for _ in range(400):
        life.happen(world, rng)
        now = world.clock.ticks()
        for tenant in world.tenants.values():
            newest = tenant.book.newest_first()[0]
            assert newest.updated <= now
            key = (tenant.tenant_id, newest.incident_id)
            assert newest.updated >= versions.get(key, 0)
            versions[key] = newest.updated


def test_the_same_seed_lives_the_same_life() -> None:
    lives = []
    for _ in range(2):
        world, rng = small(), random.Random(5)
        for _ in range(60):
            life.happen(world, rng)
        lives.append(
            [
                (raw["incidentId"], raw["status"], raw["incidentName"], len(raw["alerts"]))
                for tenant in world.tenants.values()
                for raw in world.truth(tenant).values()
            ]
        )
    assert lives[0] == lives[1]


@pytest.mark.parametrize(
    "odd",
    [
        {"alerts": None, "tags": None, "comments": None},
        {"alerts": "none", "tags": 7, "severity": None},
        {"alerts": [None, 7], "assignedTo": ["x"], "severity": ["High"]},
    ],
)
def test_life_goes_on_among_incidents_that_make_no_sense(odd: dict[str, object]) -> None:
    world, rng = small(), random.Random(3)
    for tenant in world.tenants.values():
        for _ in range(14):
            world.new_incident(tenant, dict(odd))
    for _ in range(300):
        life.happen(world, rng)


def test_merging_keeps_every_alert_once() -> None:
    world, rng = small(), random.Random(2)
    for _ in range(300):
        life.happen(world, rng)
    for tenant in world.tenants.values():
        for raw in world.truth(tenant).values():
            assert (raw["redirectIncidentId"] is not None) == (raw["status"] == "Redirected")
            assert all(alert["incidentId"] == raw["incidentId"] for alert in raw["alerts"])
            assert ticks_of(raw["createdTime"]) <= ticks_of(raw["lastUpdateTime"])


def test_a_throttling_tenant_can_be_read_whole_within_two_minutes_of_polls(cloud: Cloud) -> None:
    """A portal that polls every ten seconds, starts from the first page each time and waits when told to."""
    world, waited, refused = cloud.world, 0.0, 0
    expected = len(world.tenant("Trey Research").book)
    while True:
        seen = 0
        for skip in range(0, expected, 10):
            answer = cloud.api(f"/api/incidents?$top=10&$skip={skip}", "Trey Research")
            if answer.status_code == 429:
                refused += 1
                break
            seen += len(answer.json()["value"])
        if seen == expected and refused:
            break
        pause = 10.0 if answer.status_code == 200 else float(answer.json()["error"]["message"].split()[-2])
        world.advance(seconds=pause)
        waited += pause
        assert waited < 120
    assert refused <= 3


def test_a_throttling_tenant_refuses_the_same_part_of_every_minute_and_says_how_long() -> None:
    tenant = World(tenants=["Trey Research"]).tenant("Trey Research")
    waits = [busy_for(tenant, 6000.0 + second) for second in range(60)]
    assert sum(wait > 0 for wait in waits) == BUSY_SECONDS
    for second, wait in enumerate(waits):
        assert wait == 0 or busy_for(tenant, 6000.0 + second + wait) == 0


def test_a_slow_tenant_answers_after_two_seconds(cloud: Cloud) -> None:
    cloud.token("Southridge Video")
    began = time.monotonic()
    assert cloud.api("/api/incidents?$top=1", "Southridge Video").status_code == 200
    assert 1.9 < time.monotonic() - began < 10


def test_one_slow_tenant_holds_up_no_other(cloud: Cloud) -> None:
    import threading

    cloud.token("Southridge Video")
    thread = threading.Thread(target=lambda: cloud.api("/api/incidents?$top=1", "Southridge Video"))
    thread.start()
    other = Cloud(cloud.url, cloud.world)
    assert other.api("/api/incidents?$top=1").status_code == 200
    assert thread.is_alive()
    thread.join()
    other.http.close()


def test_roles_of_fourth_coffee_count_forty_five_seconds_after_consent(cloud: Cloud) -> None:
    world = cloud.world
    world.approve(world.tenant("Fourth Coffee"))
    assert cloud.api("/api/incidents", "Fourth Coffee").status_code == 403
    world.advance(seconds=44)
    token = cloud.ask_token("Fourth Coffee").json()["access_token"]
    world.advance(seconds=2)
    assert cloud.call("GET", "/api/incidents", headers={"Authorization": f"Bearer {token}"}).status_code == 403
    token = cloud.ask_token("Fourth Coffee").json()["access_token"]
    assert cloud.call("GET", "/api/incidents", headers={"Authorization": f"Bearer {token}"}).status_code == 200
