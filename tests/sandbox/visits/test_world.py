"""The world: the same for the same seed, full of what real tenants hold, and never ahead of its own clock."""

import json
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.cast import NAMES
from sandbox.moments import ticks_of
from sandbox.world import World
from tests.sandbox.visits.visitor import small_world

EPOCH = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def whole() -> World:
    return World(seed=7, pace=0)


def raws(world: World, name: str) -> list[dict[str, Any]]:
    return list(world.truth(world.tenant(name)).values())


def test_one_seed_makes_one_world() -> None:
    one, two = (small_world(epoch=EPOCH) for _ in range(2))
    assert [raws(one, tenant.name) for tenant in one.tenants.values()] == [
        raws(two, tenant.name) for tenant in two.tenants.values()
    ]


def test_another_seed_makes_another_world_with_the_same_tenants() -> None:
    one, two = small_world(epoch=EPOCH), small_world(epoch=EPOCH, seed=8)
    assert list(one.tenants) == list(two.tenants)
    assert raws(one, "Contoso") != raws(two, "Contoso")


def test_the_order_in_which_tenants_are_looked_at_changes_nothing() -> None:
    one, two = small_world(epoch=EPOCH), small_world(epoch=EPOCH)
    raws(one, "Fabrikam")
    assert raws(one, "Contoso") == raws(two, "Contoso")


def test_the_cast_has_exactly_the_promised_troubles(whole: World) -> None:
    found = Counter(tenant.state for tenant in whole.tenants.values())
    assert found.pop("connected") == 17
    assert found.pop("pending") == 2
    assert found == dict.fromkeys(("role_missing", "review", "revoked", "no_licence", "slow", "throttling"), 1)


def test_twenty_five_tenants_are_ready_within_five_seconds() -> None:
    began = time.process_time()
    world = World(seed=7)
    assert all(len(tenant.book) for tenant in world.tenants.values())
    assert time.process_time() - began < 5
    assert len(world.tenants) == len(NAMES) == 25


def test_thousands_of_tenants_cost_nothing_until_called() -> None:
    began = time.process_time()
    world = World(seed=7, tenants=2000)
    assert time.process_time() - began < 5
    assert len(set(world.tenants)) == len({tenant.domain for tenant in world.tenants.values()}) == 2000


def test_incident_counts_stay_within_their_bounds(whole: World) -> None:
    assert all(40 <= len(tenant.book) <= 400 for tenant in whole.tenants.values())


def test_nothing_was_updated_in_the_future_or_before_it_was_created(whole: World) -> None:
    now = whole.clock.ticks()
    for tenant in whole.tenants.values():
        for raw in tenant.book.truth().values():
            assert ticks_of(raw["createdTime"]) <= ticks_of(raw["lastUpdateTime"]) <= now


def test_the_past_reaches_back_half_a_year(whole: World) -> None:
    created = sorted(ticks_of(raw["createdTime"]) for raw in raws(whole, "Proseware"))
    days = (created[-1] - created[0]) / 864_000_000_000
    assert 150 < days < 181


def test_some_tenants_are_mostly_shells_and_shells_form_chains(whole: World) -> None:
    found = whole.truth(whole.tenant("Fabrikam"))
    shells = [raw for raw in found.values() if raw["status"] == "Redirected"]
    assert len(shells) > len(found) / 2
    assert all(raw["alerts"] == [] and raw["redirectIncidentId"] in found for raw in shells)
    assert any(found[raw["redirectIncidentId"]]["status"] == "Redirected" for raw in shells)


def test_following_a_chain_of_shells_always_ends(whole: World) -> None:
    found = whole.truth(whole.tenant("Fabrikam"))
    for raw in found.values():
        steps = 0
        while raw["redirectIncidentId"] is not None:
            raw, steps = found[raw["redirectIncidentId"]], steps + 1
            assert steps <= len(found)


def test_one_incident_holds_150_alerts(whole: World) -> None:
    sizes = [len(raw["alerts"]) for tenant in whole.tenants.values() for raw in tenant.book.truth().values()]
    assert max(sizes) == 150


def test_more_than_a_page_of_incidents_shares_one_instant(whole: World) -> None:
    found = Counter(raw["lastUpdateTime"] for raw in raws(whole, "Tailspin Toys"))
    assert found.most_common(1)[0][1] > 100


def test_fractions_of_seconds_come_in_every_length(whole: World) -> None:
    lengths = {len(raw["lastUpdateTime"].partition(".")[2].rstrip("Z")) for raw in raws(whole, "Litware")}
    assert {0, 2, 7} <= lengths <= set(range(8))


def test_text_is_hostile_here_and_there_and_always_json(whole: World) -> None:
    everything = "".join(version.body.decode() for t in whole.tenants.values() for version in t.book.newest_first())
    for piece in ("<img src=x onerror", "\u200b", "\u202e", "\\u0000", "\\ud800", "+cmd|", "DROP TABLE"):
        assert piece in everything


def test_values_that_no_document_lists_occur(whole: World) -> None:
    found = [raw for tenant in whole.tenants.values() for raw in tenant.book.truth().values()]
    assert {"New", "AwaitingAction"} & {raw["status"] for raw in found}
    assert "UnSpecified" in {raw["severity"] for raw in found}
    assert any(raw["assignedTo"] == "Microsoft (to remove duplicates)" for raw in found)
    assert any(alert["entities"] is None for raw in found for alert in raw["alerts"])


def test_absent_keys_of_entities_are_left_out_rather_than_null(whole: World) -> None:
    for raw in raws(whole, "Litware"):
        for alert in raw["alerts"]:
            assert all(value is not None for entity in alert["entities"] or [] for value in entity.values())


def test_a_process_names_a_parent_that_is_there(whole: World) -> None:
    named, known = 0, 0
    for raw in raws(whole, "Litware"):
        for alert in raw["alerts"]:
            processes = [one for one in alert["entities"] or [] if one["entityType"] == "Process"]
            numbers = {one["processId"] for one in processes}
            children = [one for one in processes if "parentProcessId" in one]
            named += len(children)
            known += sum(one["parentProcessId"] in numbers for one in children)
    assert named and known == named


def test_addresses_and_names_belong_to_nobody(whole: World) -> None:
    ranges = ("10.", "192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:")
    for raw in raws(whole, "Contoso"):
        for entity in (one for alert in raw["alerts"] for one in alert["entities"] or []):
            assert str(entity.get("ipAddress", "10.")).startswith(ranges)
            assert "example" in entity.get("url", "example")


def test_a_new_incident_is_the_newest_and_a_change_moves_it_on() -> None:
    world = small_world()
    tenant = world.tenant("contoso")
    first = world.new_incident(tenant)
    number = first["incidentId"]
    changed = world.change_incident(tenant, number, {"severity": "High"})
    assert ticks_of(changed["lastUpdateTime"]) > ticks_of(first["lastUpdateTime"])
    assert [version["severity"] for version in tenant.book.history(number)][-1] == "High"
    assert tenant.book.newest_first()[0].incident_id == number


def test_a_merge_moves_alerts_and_tags_and_leaves_a_shell() -> None:
    world = small_world()
    tenant = world.tenant("contoso")
    source = world.new_incident(tenant, {"tags": ["from the source"]})
    target = world.new_incident(tenant, {"tags": ["kept"]})
    merged = world.merge(tenant, source["incidentId"], target["incidentId"])
    moved = {alert["alertId"] for alert in source["alerts"]} | {alert["alertId"] for alert in target["alerts"]}
    assert {alert["alertId"] for alert in merged["alerts"]} == moved
    assert {alert["incidentId"] for alert in merged["alerts"]} == {target["incidentId"]}
    assert merged["tags"] == ["kept", "from the source"]
    shell = world.truth(tenant)[source["incidentId"]]
    assert (shell["status"], shell["redirectIncidentId"], shell["alerts"]) == ("Redirected", target["incidentId"], [])


def test_what_a_tenant_holds_is_equal_as_json_to_what_it_sends() -> None:
    world = small_world()
    for version in world.tenant("contoso").book.newest_first():
        assert json.loads(version.body) == version.raw


def test_the_clock_never_goes_back() -> None:
    world = small_world()
    before = world.clock.seconds()
    world.advance(seconds=3600)
    assert world.clock.seconds() >= before + 3600
    with pytest.raises(ValueError, match="forward"):
        world.advance(seconds=-1)
