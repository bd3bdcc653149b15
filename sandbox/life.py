"""What happens by itself: every few seconds, somewhere, an incident arrives, changes, or is merged into another."""

import asyncio
import random

from sandbox.cast import Tenant
from sandbox.world import World

# What happens, and how often beside the others; the second row only in a busy world.
_USUAL = (("arrive", 5), ("change", 4), ("merge", 1))
_BUSY = (("change", 40), ("together", 3), ("move", 3), ("silent", 3), ("vanish", 0.1))
# Seconds between two happenings in the whole world at pace 1.
USUAL_PAUSE = 4.0
# Seconds after which the world looks again how lively it should be, so that a change of pace is felt at once, …
LOOK = 0.2
# … and how often at most: in a lively world several things happen at one look, which costs less than to wake for each.
SHORTEST_LOOK = 0.02
# Happenings at one look, at most, so that calls are answered in between.
AT_ONCE = 20


async def live(world: World) -> None:
    """Go on until cancelled; ``world.pace`` may change at any time, 0 is quiet."""
    rng = random.Random(f"{world.seed}:pulse")
    loop = asyncio.get_running_loop()
    looked, due = loop.time(), 1.0
    while True:
        await asyncio.sleep(LOOK if world.pace <= 1 else max(LOOK / world.pace, SHORTEST_LOOK))
        now = loop.time()
        due -= (now - looked) * max(world.pace, 0.0) / USUAL_PAUSE
        looked = now
        for _ in range(AT_ONCE):
            if due > 0:
                break
            happen(world, rng)
            due += rng.uniform(0.5, 1.5)
        due = max(due, 0.0)  # what a machine that was held up has missed is not made up for


def happen(world: World, rng: random.Random) -> None:
    """One thing, in one tenant where the application is installed."""
    tenant = rng.choice([one for one in world.tenants.values() if one.principal] or list(world.tenants.values()))
    kinds = (*_USUAL, *_BUSY) if world.busy else _USUAL
    world.happened += 1
    what = rng.choices([kind for kind, _ in kinds], weights=[weight for _, weight in kinds])[0]
    known = _open(tenant)
    if world.busy:  # otherwise the newest few change again and again, which hides what was not read in between
        rng.shuffle(known)
    if what == "arrive":
        world.new_incident(tenant)
    elif what == "merge" and len(known) > 2:
        world.merge(tenant, *rng.sample(known[:12], 2))
    elif what == "move" and len(known) > 2:
        world.move_alert(tenant, *rng.sample(known[:12], 2))
    elif what == "together":
        world.change_together(tenant, known[:3])
    elif what == "silent" and known:
        world.silent_change(tenant, rng.choice(known[:12]))
    elif what == "vanish" and len(known) > 5:
        world.vanish(tenant, max(known))
    elif known:
        world.change_incident(tenant, rng.choice(known[:12]))


def _open(tenant: Tenant) -> list[int]:
    """Numbers of open incidents, the highest first: unlike times, numbers are the same whenever a seed is lived."""
    versions = tenant.book.newest_first()
    return sorted((one.incident_id for one in versions if one.status in ("Active", "InProgress")), reverse=True)
