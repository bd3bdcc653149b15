"""Lets a world outlive its process: seed and epoch rebuild what was, a journal of changes brings it up to date.

One JSON object a line. The same seed and epoch give the same tenants and incidents, so only what happened since is
written: new versions of incidents, who has consented, how far the clock was moved. What a crash has cut off is left
out, and opening a journal writes it anew with the last version of everything, so that it does not grow for ever.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from sandbox.cast import ServicePrincipal
from sandbox.moments import SECOND
from sandbox.world import World

Entry = dict[str, Any]


class Journal:
    """The open journal of one world; it begins with ``entries``, and every change of the world is added."""

    def __init__(self, path: Path, world: World, entries: Iterable[Entry]) -> None:
        self.world = world
        path.parent.mkdir(parents=True, exist_ok=True)
        # A crash while writing anew must leave the old journal as it was.
        fresh = path.with_name(f"{path.name}.new")
        fresh.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries), encoding="utf-8")
        fresh.replace(path)
        self._out: TextIO = path.open("a", encoding="utf-8", buffering=1)
        world.journal = self.write

    def write(self, entry: Entry) -> None:
        """Append one line."""
        self._out.write(json.dumps(entry) + "\n")

    def close(self) -> None:
        """Stop writing."""
        self.world.journal = None
        self._out.close()


def open_world(path: Path, **settings: Any) -> tuple[World, Journal]:
    """The world of an earlier run where ``path`` holds one of the same seed, else a new one. OSError if unwritable."""
    first, *rest = _entries(path) or [{}]
    if first.get("what") != "world" or first.get("seed") != settings.get("seed", 7):
        world = World(**settings)
        return world, Journal(path, world, [_beginning(world)])
    world = World(**settings, epoch=datetime.fromtimestamp(first["epoch"], UTC))
    kept = _latest(rest)
    for entry in kept:
        _replay(world, entry)
    return world, Journal(path, world, [_beginning(world), *kept])


def _beginning(world: World) -> Entry:
    return {"what": "world", "seed": world.seed, "epoch": world.epoch // SECOND}


def _entries(path: Path) -> list[Entry]:
    """Every line that can be read. JSON escapes line breaks, so a line is a line."""
    if not path.exists():
        return []
    found = []
    for line in path.read_bytes().split(b"\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if isinstance(entry, dict):
            found.append(entry)
    return found


def _latest(entries: Iterable[Entry]) -> list[Entry]:
    """The last entry about each thing, in the order in which they were written; clock moves are added up."""
    kept: dict[tuple[Any, ...], Entry] = {}
    ahead = 0.0
    for entry in entries:
        about = (entry.get("what"), entry.get("tenant"), (entry.get("raw") or {}).get("incidentId"))
        if entry.get("what") == "clock":
            ahead += entry["ahead"]
            entry = {"what": "clock", "ahead": ahead}
        kept.pop(about, None)
        kept[about] = entry
    return list(kept.values())


def _replay(world: World, entry: Entry) -> None:
    if entry["what"] == "clock":
        return world.clock.advance(seconds=entry["ahead"])
    tenant = world.tenants.get(entry.get("tenant", ""))
    if tenant is None:
        return None
    if entry["what"] == "incident" and entry.get("is_gone"):
        tenant.book.remove(entry["raw"]["incidentId"])
    elif entry["what"] == "incident":
        tenant.book.put(entry["raw"], written=world.clock.ticks())
    elif entry["what"] == "consent":
        tenant.licence, tenant.manner = entry["licence"], entry["manner"]
        tenant.was_installed, tenant.principal = entry["was_installed"], _principal(entry["principal"])
    return None


def _principal(written: dict[str, Any] | None) -> ServicePrincipal | None:
    if written is None:
        return None
    grants = {key: set(roles) for key, roles in written["grants"].items()}
    return ServicePrincipal(written["object_id"], written["enabled"], grants, written["effective_at"])
