"""Lets a world outlive its process: seed and epoch rebuild what was, a journal of changes brings it up to date.

One JSON object a line. The same seed and epoch give the same tenants and incidents, so only what happened since is
written: new versions of incidents and who has consented. A line that was cut off by a crash is left out.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from sandbox.cast import ServicePrincipal
from sandbox.moments import SECOND
from sandbox.world import World


class Journal:
    """The open journal of one world."""

    def __init__(self, path: Path, world: World, *, is_new: bool) -> None:
        self.world = world
        self._out: TextIO = path.open("a", encoding="utf-8", buffering=1)
        if is_new:
            self.write({"what": "world", "seed": world.seed, "epoch": world.epoch // SECOND})
        world.journal = self.write

    def write(self, entry: dict[str, Any]) -> None:
        """Append one line."""
        self._out.write(json.dumps(entry) + "\n")

    def close(self) -> None:
        """Stop writing."""
        self.world.journal = None
        self._out.close()


def open_world(path: Path, **settings: Any) -> tuple[World, Journal]:
    """The world of an earlier run where there is one of the same seed, else a new one."""
    entries = _entries(path)
    first = entries[0] if entries else {}
    if first.get("what") != "world" or first.get("seed") != settings.get("seed"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        world = World(**settings)
        return world, Journal(path, world, is_new=True)
    world = World(**settings, epoch=datetime.fromtimestamp(first["epoch"], UTC))
    for entry in entries[1:]:
        _replay(world, entry)
    return world, Journal(path, world, is_new=False)


def _entries(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def _replay(world: World, entry: dict[str, Any]) -> None:
    tenant = world.tenants.get(entry.get("tenant", ""))
    if tenant is None:
        return
    if entry["what"] == "incident":
        tenant.book.put(entry["raw"], written=world.clock.ticks())
    elif entry["what"] == "consent":
        tenant.licence, tenant.manner = entry["licence"], entry["manner"]
        tenant.was_installed = entry["was_installed"]
        principal = entry["principal"]
        tenant.principal = principal and ServicePrincipal(
            principal["object_id"],
            principal["enabled"],
            {key: set(roles) for key, roles in principal["grants"].items()},
            principal["effective_at"],
        )
