"""What a soak needs of the stand-in: poison that stays, changes nobody sees coming, and counts of what callers did."""

import json
import random
from hashlib import blake2b

import pytest

from sandbox import life
from sandbox.moments import SECOND
from sandbox.world import World
from tests.sandbox.visits.visitor import Visitor


@pytest.fixture
def world() -> World:
    return World(seed=7, tenants=["Contoso"], incidents=(20, 20))


def test_a_poisoned_incident_is_served_spoiled_in_every_version(world: World) -> None:
    contoso = world.tenant("Contoso")
    number = contoso.book.ids()[3]
    world.poison_incident(contoso, number, "not_an_object")
    assert contoso.book.get(number).served == b'"an incident, but as text"'  # type: ignore[union-attr]
    world.change_incident(contoso, number, {"severity": "High"})
    version = contoso.book.get(number)
    assert version and version.served == b'"an incident, but as text"' and version.raw["severity"] == "High"
    with pytest.raises(ValueError, match="no way"):
        world.poison_incident(contoso, number, "arsenic")


def test_poison_also_spoils_what_a_late_reader_still_sees(world: World) -> None:
    contoso = world.tenant("Contoso")
    number, before = contoso.book.ids()[3], world.clock.ticks()
    world.advance(seconds=10)
    world.change_incident(contoso, number, {"severity": "High"})
    world.poison_incident(contoso, number, "null")
    (earlier,) = [one for one in contoso.book.as_seen_before(before) if one.incident_id == number]
    assert earlier.served == b"null"


def test_the_number_of_an_incident_that_vanished_is_not_given_again(world: World) -> None:
    contoso = world.tenant("Contoso")
    last = contoso.book.ids()[-1]
    world.vanish(contoso, last)
    assert last not in contoso.book
    assert world.new_incident(contoso)["incidentId"] == last + 1
    with pytest.raises(KeyError):
        world.vanish(contoso, last)


def test_a_silent_change_moves_no_time(world: World) -> None:
    contoso = world.tenant("Contoso")
    number = next(v.incident_id for v in contoso.book.newest_first() if v.raw["alerts"])
    before = contoso.book.truth()[number]
    after = world.silent_change(contoso, number)
    assert after != before and after["lastUpdateTime"] == before["lastUpdateTime"]


def test_a_bulk_change_gives_several_incidents_the_very_same_time(world: World) -> None:
    contoso = world.tenant("Contoso")
    numbers = contoso.book.ids()[:3]
    world.change_together(contoso, numbers)
    assert len({contoso.book.truth()[number]["lastUpdateTime"] for number in numbers}) == 1


def test_an_alert_that_moves_stands_in_one_incident_and_both_get_a_new_time(world: World) -> None:
    contoso = world.tenant("Contoso")
    source, target = [v.incident_id for v in contoso.book.newest_first() if v.raw["alerts"]][:2]
    before = contoso.book.truth()
    moved = before[source]["alerts"][-1]["alertId"]
    world.move_alert(contoso, source, target)
    truth = contoso.book.truth()
    homes = [n for n, raw in truth.items() for alert in raw["alerts"] if alert["alertId"] == moved]
    assert homes == [target]
    assert all(truth[n]["lastUpdateTime"] > before[n]["lastUpdateTime"] for n in (source, target))


def test_each_version_shows_after_its_own_delay_and_the_one_before_until_then(world: World) -> None:
    contoso = world.tenant("Contoso")
    world.advance(seconds=10)
    now, longest = world.clock.ticks(), 4 * SECOND
    for number in contoso.book.ids():
        contoso.book.change(number, lambda raw: raw.update(severity="High"), written=now)
    delays = [version.shows_after(longest) - now for version in contoso.book.newest_first()]
    assert 0 <= min(delays) < max(delays) < longest
    shown = contoso.book.as_seen_each_late(now + longest // 2, longest)
    assert len(shown) == 20
    new = sum(version.written == now for version in shown)
    assert new == sum(delay <= longest // 2 for delay in delays) and 0 < new < 20
    assert all(version.written == now for version in contoso.book.as_seen_each_late(now + longest, longest))


def test_a_busy_world_does_everything_and_stays_whole() -> None:
    world = World(seed=3, tenants=["Contoso", "Fabrikam"], incidents=(30, 30))
    world.busy = True
    rng = random.Random(1)
    for _ in range(400):
        life.happen(world, rng)
    for tenant in world.tenants.values():
        homes = [a["alertId"] for raw in tenant.book.truth().values() for a in raw["alerts"] if isinstance(a, dict)]
        assert len(homes) == len(set(homes)) > 0


def test_a_call_before_the_wait_is_over_is_counted(visitor: Visitor) -> None:
    visitor.post("/_sandbox/faults", json={"kind": "throttle", "seconds": 30, "count": 1})
    assert visitor.api("/api/incidents").status_code == 429
    assert visitor.get("/_sandbox/counters").json()["early"] == 0
    assert visitor.api("/api/incidents").status_code == 200
    assert visitor.get("/_sandbox/counters").json() == {"calls": 3, "happened": 0, "self_inflicted": 0, "early": 1}


def test_the_digest_is_of_the_bytes_that_are_served(visitor: Visitor) -> None:
    tenant = visitor.world.tenant("Contoso")
    number = tenant.book.ids()[0]
    visitor.post(f"/_sandbox/tenants/{tenant.tenant_id}/poison", json={"incident": number, "way": "null"})
    rows = visitor.get("/_sandbox/digest").json()[tenant.tenant_id]
    assert {row[0]: row[3] for row in rows}[number] == "null"
    for incident_id, updated, digest, _ in rows:
        version = tenant.book.get(incident_id)
        assert version and json.loads(version.body)["lastUpdateTime"] == updated
        assert digest == blake2b(version.served, digest_size=16).hexdigest()
