"""The incidents of one tenant as served: bytes made once per version, newest first, every earlier version kept."""

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from sandbox.moments import ticks_of
from sandbox.poison import poisoned
from sandbox.squeeze import segment, serialise

Raw = dict[str, Any]
__all__ = ["Casebook", "Raw", "Version", "serialise"]


@dataclass(slots=True)
class Version:
    """One incident at one time. `written` is the world's time when it was stored, not what the incident says.

    `way` is one of `sandbox.poison` where this incident is always served spoiled.
    """

    incident_id: int
    body: bytes
    updated: int
    created: int
    status: str
    assigned_to: str | None
    written: int
    way: str = ""
    _served: bytes | None = None
    _packed: bytes | None = None

    @classmethod
    def of(cls, raw: Raw, *, written: int) -> "Version":
        """From the object as served; ValueError where its two times cannot be read."""
        return cls(
            incident_id=raw["incidentId"],
            body=serialise(raw),
            updated=ticks_of(raw["lastUpdateTime"]),
            created=ticks_of(raw["createdTime"]),
            status=raw["status"],
            assigned_to=raw.get("assignedTo"),
            written=written,
        )

    @property
    def raw(self) -> Raw:
        """The incident as an object, equal as JSON to what goes over the wire; a fresh copy each time."""
        found: Raw = json.loads(self.body)
        return found

    @property
    def served(self) -> bytes:
        """The bytes that go over the wire: the body, or what its poison has made of it."""
        if self._served is None:
            self._served = poisoned(self.body, self.way) if self.way else self.body
        return self._served

    @property
    def packed(self) -> bytes:
        """What is served as a deflate piece, made once."""
        if self._packed is None:
            self._packed = segment(self.served)
        return self._packed

    def shows_after(self, longest: int) -> int:
        """The world's time from which readers see it, if each version is late by up to `longest` ticks of its own."""
        digest = blake2b(b"%d:%d" % (self.incident_id, self.written), digest_size=4).digest()
        return self.written + longest * int.from_bytes(digest) // 2**32


@dataclass
class Casebook:
    """All incidents of a tenant. Safe to read and write from several threads."""

    _current: dict[int, Version] = field(default_factory=dict)
    _earlier: dict[int, list[Version]] = field(default_factory=dict)
    _order: list[Version] | None = None
    _highest: int = 0
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def __len__(self) -> int:
        return len(self._current)

    def __contains__(self, incident_id: int) -> bool:
        return incident_id in self._current

    def put(self, raw: Raw, *, written: int) -> Version:
        """Store a new incident or the next version of a known one."""
        version = Version.of(raw, written=written)
        with self._lock:
            previous = self._current.get(version.incident_id)
            if previous:
                version.way = previous.way
                self._earlier.setdefault(version.incident_id, []).append(previous)
            self._current[version.incident_id] = version
            self._highest = max(self._highest, version.incident_id)
            self._order = None
        return version

    def change(self, incident_id: int, edit: Callable[[Raw], None], *, written: int) -> Version:
        """Apply `edit` to a copy of the incident and store it as its next version. KeyError if there is none."""
        with self._lock:
            raw = self._current[incident_id].raw
            edit(raw)
            return self.put(raw, written=written)

    def poison(self, incident_id: int, way: str) -> None:
        """From now on this incident is served spoiled, in all its versions. KeyError if there is none."""
        with self._lock:
            for version in (self._current[incident_id], *self._earlier.get(incident_id, [])):
                version.way, version._served, version._packed = way, None, None

    def remove(self, incident_id: int) -> None:
        """It is gone: neither listed nor found, and its number is not given again."""
        with self._lock:
            self._current.pop(incident_id, None)
            self._highest = max(self._highest, incident_id)
            self._order = None

    def load(self, raws: Iterable[Raw], *, written: int) -> None:
        """Store many at once."""
        for raw in raws:
            self.put(raw, written=written)

    def get(self, incident_id: int) -> Version | None:
        """The current version, or None."""
        return self._current.get(incident_id)

    def ids(self) -> list[int]:
        """Every number, ascending."""
        with self._lock:
            return sorted(self._current)

    def next_id(self) -> int:
        """A number higher than all so far, also of incidents that have vanished: numbers are given once."""
        with self._lock:
            return self._highest + 1

    def newest_first(self) -> list[Version]:
        """Current versions by lastUpdateTime descending; equal times keep their order by incident id."""
        with self._lock:
            if self._order is None:
                self._order = sorted(
                    self._current.values(), key=lambda version: (-version.updated, version.incident_id)
                )
            return self._order

    def as_seen_before(self, written: int) -> list[Version]:
        """What a reader sees to whom everything written after `written` is not yet visible, newest first."""
        with self._lock:
            seen = [self._visible(version, written) for version in self._current.values()]
        found = [version for version in seen if version]
        return sorted(found, key=lambda version: (-version.updated, version.incident_id))

    def as_seen_each_late(self, now: int, longest: int) -> list[Version]:
        """What a reader sees at `now` if every version becomes visible after its own delay, newest first."""
        with self._lock:
            found = [version for one in self._current.values() if (version := self._shown(one, now, longest))]
        return sorted(found, key=lambda version: (-version.updated, version.incident_id))

    def _shown(self, version: Version, now: int, longest: int) -> Version | None:
        if version.written + longest <= now or version.shows_after(longest) <= now:
            return version
        earlier = reversed(self._earlier.get(version.incident_id, []))
        return next((older for older in earlier if older.shows_after(longest) <= now), None)

    def _visible(self, version: Version, written: int) -> Version | None:
        if version.written <= written:
            return version
        earlier = reversed(self._earlier.get(version.incident_id, []))
        return next((older for older in earlier if older.written <= written), None)

    def truth(self) -> dict[int, Raw]:
        """{incident id: the object exactly as served now}."""
        with self._lock:
            return {incident_id: version.raw for incident_id, version in self._current.items()}

    def history(self, incident_id: int) -> list[Raw]:
        """Every version so far, oldest first, the current one last; empty for an unknown id."""
        with self._lock:
            current = self._current.get(incident_id)
            return [version.raw for version in [*self._earlier.get(incident_id, []), *([current] if current else [])]]
