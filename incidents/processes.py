"""Processes as trees: who started whom, per device, as far as the ids that Microsoft sends allow it.

A process is known by its device, its id and its start. The parent of a process is the reported process of the same
device with the parent's id that started at the time given for it; where no time is given, the last one with that id
that started before. Systems give an id to one process after another, so an id whose time does not fit is somebody
else. A parent that was not reported itself is shown as far as its child names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from defender.times import parse_time
from incidents.models import Evidence

# Ours: children deeper than this are shown beside one another; a page cannot be indented without end.
DEEPEST: Final = 12
# The same start may be sent with more or fewer digits.
SAME_START: Final = timedelta(seconds=1)
_HASH: Final = re.compile(r"[0-9A-Fa-f]{32,64}")


@dataclass(eq=False, slots=True)
class Process:
    """One process. Not ``is_reported``: only named by its children, so most fields are blank."""

    device: str
    pid: str
    name: str
    command: str = ""
    started_at: datetime | None = None
    account: str = ""
    digest: str = ""
    verdict: str = ""
    remediation: str = ""
    alerts: int = 0
    is_reported: bool = True
    parent: Process | None = None
    children: list[Process] = field(default_factory=list)

    @property
    def has_hash(self) -> bool:
        """Whether the digest is one, and may be copied as it was sent."""
        return bool(_HASH.fullmatch(self.digest))


@dataclass(frozen=True, slots=True)
class Line:
    """One process in the flat form of a tree: whether a list of children opens after it, and how many lists close."""

    process: Process
    opens: bool
    closes: range


@dataclass(frozen=True, slots=True)
class DeviceTree:
    """The processes of one device; ``device`` is its name, its id where the incident does not name it, or blank."""

    device: str
    lines: Sequence[Line]


def process_trees(pieces: Iterable[tuple[Evidence, int]], names: dict[str, str]) -> list[DeviceTree]:
    """Trees of (piece of evidence, number of its alerts); ``names`` maps ids of devices to names."""
    sent = _once((_process(piece, alerts), _data(piece)) for piece, alerts in pieces)
    by_id: dict[tuple[str, str], list[Process]] = {}
    for process, _ in sent:
        if process.pid:
            by_id.setdefault((process.device, process.pid), []).append(process)
    for process, data in sent:
        _find_parent(process, data, by_id)
    everybody = [*(process for process, _ in sent), *(p for ps in by_id.values() for p in ps if not p.is_reported)]
    for process in everybody:
        _cut_circle(process)
    roots: dict[str, list[Process]] = {}
    for process in everybody:
        (process.parent.children if process.parent else roots.setdefault(process.device, [])).append(process)
    return [DeviceTree(names.get(device, device), list(_lines(roots[device]))) for device in roots]


def _once(sent: Iterable[tuple[Process, dict[str, Any]]]) -> list[tuple[Process, dict[str, Any]]]:
    """The same process told by one alert with its parent and by another without is one, with the parent."""
    found: dict[object, tuple[Process, dict[str, Any]]] = {}
    for process, data in sent:
        is_known = process.pid and process.started_at
        key: object = (process.device, process.pid, process.started_at, process.name) if is_known else id(process)
        other = found.get(key)
        if other is None or (_text(data, "parentProcessId") and not _text(other[1], "parentProcessId")):
            found[key] = (process, data)
        if other is not None:
            found[key][0].alerts = max(process.alerts, other[0].alerts)
    return list(found.values())


def _find_parent(process: Process, data: dict[str, Any], by_id: dict[tuple[str, str], list[Process]]) -> None:
    pid = _text(data, "parentProcessId")
    if not pid:
        return
    started = parse_time(_text(data, "parentProcessCreationTime"))
    same_id = by_id.setdefault((process.device, pid), [])
    process.parent = _parent_among([one for one in same_id if one is not process], process, started)
    if process.parent is None:
        name = _text(data, "parentProcessFileName")
        process.parent = Process(process.device, pid, name, started_at=started, is_reported=False)
        same_id.append(process.parent)


def _parent_among(same_id: Sequence[Process], child: Process, started: datetime | None) -> Process | None:
    if started is not None:
        fits = (one for one in same_id if one.started_at and abs(one.started_at - started) < SAME_START)
        return next(fits, None)
    if child.started_at is None:
        return same_id[0] if len(same_id) == 1 else None
    earlier = [one for one in same_id if one.started_at is None or one.started_at <= child.started_at]
    return max(earlier, key=lambda one: (one.started_at is not None, one.started_at or child.started_at), default=None)


def _cut_circle(process: Process) -> None:
    """Whoever is its own ancestor has no parent: the ids were made up, or sent wrongly."""
    seen, above = {id(process)}, process.parent
    while above is not None and id(above) not in seen:
        seen.add(id(above))
        above = above.parent
    if above is process:
        process.parent = None


def _lines(roots: list[Process]) -> Iterator[Line]:
    """Depth first, siblings by their start; without recursion, since a chain may be as long as an attacker likes."""
    flat: list[tuple[Process, int]] = []
    waiting = [(root, 0) for root in sorted(roots, key=_start)[::-1]]
    while waiting:
        process, depth = waiting.pop()
        flat.append((process, min(depth, DEEPEST)))
        waiting += [(child, depth + 1) for child in sorted(process.children, key=_start)[::-1]]
    for place, (process, depth) in enumerate(flat):
        following = flat[place + 1][1] if place + 1 < len(flat) else 0
        yield Line(process, following > depth, range(max(0, depth - following)))


def _start(process: Process) -> float:
    """Those without a start come first: most are parents that were not reported."""
    return process.started_at.timestamp() if process.started_at else 0.0


def _process(piece: Evidence, alerts: int) -> Process:
    data = _data(piece)
    return Process(
        device=_text(data, "deviceId"),
        pid=_text(data, "processId"),
        name=_text(data, "fileName"),
        command=_text(data, "processCommandLine") or ("" if _text(data, "fileName") else piece.value),
        started_at=parse_time(_text(data, "processCreationTime")),
        account=_text(data, "userPrincipalName") or _text(data, "accountName"),
        digest=_text(data, "sha256") or _text(data, "sha1"),
        verdict=piece.verdict,
        remediation=piece.remediation_status,
        alerts=alerts,
    )


def _data(piece: Evidence) -> dict[str, Any]:
    return piece.data if isinstance(piece.data, dict) else {}


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    return "" if value is None or isinstance(value, dict | list) else str(value)
