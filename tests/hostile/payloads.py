"""Damaged incidents and sound ones, each the same for the same seed and number."""

import json
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from tests.defender.payloads import (
    documented_alert,
    documented_entity,
    documented_incident,
    recorded_alert,
    recorded_incident,
)
from tests.hostile import ways

# Damaged incidents are numbered from here, so that none takes a sound one's number.
FIRST_DAMAGED = 1_000_000
_WAYS = {**ways.READ, **ways.ASIDE, **ways.EITHER}
NAMES = tuple(_WAYS)
_WEIGHTS = [ways.WEIGHTS.get(name, 1.0) for name in NAMES]


@dataclass(frozen=True, slots=True)
class Payload:
    """One damaged incident. ``number`` is the one it was made with; ``must`` is "read", "aside" or "either"."""

    number: int
    way: str
    raw: bytes
    must: str


def payload(seed: int, number: int) -> Payload:
    """The damaged incident of this number; the first ones go through all ways, then chance decides."""
    chance = random.Random(f"{seed}:{number}")
    way = NAMES[number] if number < len(NAMES) else chance.choices(NAMES, _WEIGHTS)[0]
    incident = _whole(chance, FIRST_DAMAGED + number)
    must = "read" if way in ways.READ else "aside" if way in ways.ASIDE else "either"
    return Payload(incident["incidentId"], way, _WAYS[way](chance, incident), must)


@lru_cache(1_000)
def sound(number: int, version: int) -> bytes:
    """A sound neighbour in one of its versions; later versions are later."""
    moment = f"2026-03-01T{version // 3600 % 24:02}:{version // 60 % 60:02}:{version % 60:02}.1234567Z"
    entity = documented_entity("User", userPrincipalName=f"alice{number}@contoso.com")
    alert = documented_alert(number, alertId=f"sound{number}", incidentId=number, entities=[entity], devices=[])
    fields: dict[str, Any] = {"lastUpdateTime": moment, "incidentName": f"Sound {number}.{version}", "alerts": [alert]}
    return json.dumps(documented_incident(number, **fields), separators=(",", ":")).encode()


def _whole(chance: random.Random, number: int) -> dict[str, Any]:
    """An incident in either shape, with alert ids of its own."""
    alert = chance.choice((documented_alert, recorded_alert))(alertId=f"da{number}_1", incidentId=number)
    return chance.choice((documented_incident, recorded_incident))(number, alerts=[alert])
