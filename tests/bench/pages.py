"""Pages of incidents as a tenant sends them, made by the stand-in cloud's own stories."""

import json
import random
from typing import Any

from sandbox.estate import build_estate
from sandbox.incidents import grow, make_incident
from sandbox.moments import MINUTE, iso, ticks_from, ticks_of

PAGE = 100


def pages(seed: int, *, count: int, at: Any, alerts: tuple[int, int] = (1, 5)) -> list[list[bytes]]:
    """``count`` pages of 100 incidents, newest first, each with so many alerts of two to six entities."""
    rng = random.Random(seed)
    estate, start = build_estate(rng, "bench.example", epoch=ticks_from(at)), ticks_from(at)
    made = []
    for number in range(count * PAGE):
        moment = start - number * MINUTE
        raw = make_incident(rng, estate, tenant_id="bench", incident_id=count * PAGE - number, at=moment)
        wanted = rng.randint(*alerts)
        grow(raw, rng, estate, alerts=wanted, at=moment)
        raw["alerts"] = raw["alerts"][:wanted]
        made.append(sent(raw))
    return [made[start : start + PAGE] for start in range(0, len(made), PAGE)]


def sent(raw: Any) -> bytes:
    """As it goes over the wire."""
    return json.dumps(raw, separators=(",", ":"), ensure_ascii=False).encode()


def changed(page: list[bytes], *, share: float, turn: int) -> list[bytes]:
    """The same page after some of its incidents, spread evenly, were touched: status, time, one alert."""
    step = round(1 / share)
    return [_touched(item, turn) if place % step == 0 else item for place, item in enumerate(page)]


def _touched(item: bytes, turn: int) -> bytes:
    raw = json.loads(item)
    raw["status"] = "InProgress" if turn % 2 else "Active"
    raw["assignedTo"] = f"analyst{turn}@bench.example"
    raw["lastUpdateTime"] = iso(ticks_of(raw["lastUpdateTime"]) + turn)
    if raw["alerts"]:
        raw["alerts"][0]["status"] = f"InProgress{turn}"
    return sent(raw)
