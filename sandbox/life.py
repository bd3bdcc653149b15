"""What happens by itself: every few seconds, somewhere, an incident arrives, changes, or is merged into another."""

import asyncio
import random

from sandbox.cast import Tenant
from sandbox.world import World

# Seconds between two happenings in the whole world at pace 1.
USUAL_PAUSE = 4.0
SETTLED = 0.2  # how often a quiet world looks whether it has become lively


async def live(world: World) -> None:
    """Go on until cancelled; ``world.pace`` may change at any time, 0 is quiet."""
    rng = random.Random(f"{world.seed}:pulse")
    while True:
        if world.pace <= 0:
            await asyncio.sleep(SETTLED)
            continue
        await asyncio.sleep(rng.uniform(0.5, 1.5) * USUAL_PAUSE / world.pace)
        if world.pace > 0:
            happen(world, rng)


def happen(world: World, rng: random.Random) -> None:
    """One thing, in one tenant that is connected."""
    tenant = rng.choice([one for one in world.tenants.values() if one.principal] or list(world.tenants.values()))
    what = rng.choices(("arrive", "change", "merge"), weights=(5, 4, 1))[0]
    if what == "arrive":
        world.new_incident(tenant)
        return
    known = _open(tenant)
    if what == "merge" and len(known) > 2:
        source, target = rng.sample(known[:12], 2)
        world.merge(tenant, source, target)
    elif known:
        world.change_incident(tenant, rng.choice(known[:12]))


def _open(tenant: Tenant) -> list[int]:
    """Numbers of open incidents, the latest first."""
    versions = tenant.book.newest_first()
    return [version.incident_id for version in versions if version.status in ("Active", "InProgress")]
