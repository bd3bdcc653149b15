"""A world that is written down outlives its process, whatever happened to the end of the file."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.journal import open_world
from sandbox.world import World

SETTINGS: dict[str, Any] = {"seed": 7, "tenants": 12, "incidents": (20, 30)}


def everything(world: World) -> dict[str, Any]:
    """What a portal could find out: every incident and who has consented to what."""
    return {
        tenant.name: (world.truth(tenant), tenant.state, world.describe(tenant)["grants"])
        for tenant in world.tenants.values()
    }


def test_changes_merges_and_consent_survive_a_restart(tmp_path: Path) -> None:
    world, journal = open_world(tmp_path / "state", **SETTINGS)
    contoso, coho = world.tenant("contoso"), world.tenant("Coho Vineyard")
    first, second = (world.new_incident(contoso, {"incidentName": name})["incidentId"] for name in ("a", "\ud800 b"))
    world.change_incident(contoso, first, {"status": "InProgress"})
    world.merge(contoso, first, second)
    world.approve(coho)
    world.revoke(world.tenant("fabrikam"))
    world.set_state(world.tenant("Litware"), "slow")
    expected = everything(world)
    journal.close()
    again, journal = open_world(tmp_path / "state", **SETTINGS)
    journal.close()
    assert everything(again) == expected
    assert again.tenant("Coho Vineyard").state == "connected"
    assert again.epoch == world.epoch


def test_what_has_vanished_stays_away_after_a_restart(tmp_path: Path) -> None:
    world, journal = open_world(tmp_path / "state", **SETTINGS)
    contoso = world.tenant("contoso")
    old, new = contoso.book.ids()[0], world.new_incident(contoso)["incidentId"]
    for number in (old, new):
        world.vanish(contoso, number)
    journal.close()
    again, journal = open_world(tmp_path / "state", **SETTINGS)
    assert not {old, new} & again.truth(again.tenant("contoso")).keys()
    assert again.new_incident(again.tenant("contoso"))["incidentId"] == new + 1
    journal.close()


def test_a_world_goes_on_where_it_stopped_many_times(tmp_path: Path) -> None:
    names = []
    for number in range(4):
        world, journal = open_world(tmp_path / "state", **SETTINGS)
        names.append(f"incident of run {number}")
        world.new_incident(world.tenant("contoso"), {"incidentName": names[-1]})
        journal.close()
    world, journal = open_world(tmp_path / "state", **SETTINGS)
    journal.close()
    assert [raw["incidentName"] for raw in list(world.truth(world.tenant("contoso")).values())[-4:]] == names


@pytest.mark.parametrize("rest", [b'{"what": "incident", "ten', b"7", b"\xff\xfe", b'{"what": "incident"}x'])
def test_a_last_line_that_was_cut_off_costs_that_line_only(tmp_path: Path, rest: bytes) -> None:
    path = tmp_path / "state"
    world, journal = open_world(path, **SETTINGS)
    world.new_incident(world.tenant("contoso"), {"incidentName": "whole"})
    expected = everything(world)
    journal.close()
    path.write_bytes(path.read_bytes() + rest)
    again, journal = open_world(path, **SETTINGS)
    assert everything(again) == expected
    again.new_incident(again.tenant("contoso"), {"incidentName": "after the crash"})
    expected = everything(again)
    journal.close()
    third, journal = open_world(path, **SETTINGS)
    journal.close()
    assert everything(third) == expected


def test_the_file_holds_the_last_version_of_everything_only(tmp_path: Path) -> None:
    path = tmp_path / "state"
    world, journal = open_world(path, **SETTINGS)
    number = world.new_incident(world.tenant("contoso"))["incidentId"]
    for count in range(50):
        world.change_incident(world.tenant("contoso"), number, {"tags": [str(count)]})
    journal.close()
    assert len(path.read_text().splitlines()) == 52
    _, journal = open_world(path, **SETTINGS)
    journal.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["what"] for line in lines] == ["world", "incident"]
    assert lines[1]["raw"]["tags"] == ["49"]


def test_a_clock_that_was_moved_stays_moved(tmp_path: Path) -> None:
    """Else incidents of before would have been updated in the future."""
    world, journal = open_world(tmp_path / "state", **SETTINGS)
    world.advance(seconds=3600)
    world.advance(seconds=3600)
    before = world.clock.seconds()
    journal.close()
    again, journal = open_world(tmp_path / "state", **SETTINGS)
    journal.close()
    assert before <= again.clock.seconds() < before + 60


@pytest.mark.parametrize("content", [b"", b"nonsense\n", b'{"what": "world", "seed": 8, "epoch": 1}\n', b"[]\n"])
def test_what_is_not_a_world_of_this_seed_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "folder" / "state"
    path.parent.mkdir()
    path.write_bytes(content)
    world, journal = open_world(path, **SETTINGS)
    journal.close()
    assert json.loads(path.read_text().splitlines()[0])["seed"] == 7
    assert abs(world.epoch / 10**7 - datetime.now(UTC).timestamp()) < 60
