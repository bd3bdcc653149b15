"""The 180 days before a world begins, tenant by tenant, with the oddities that real tenants have."""

import random

from sandbox.casebook import Raw
from sandbox.cast import MOSTLY_MERGED, Tenant
from sandbox.estate import Estate
from sandbox.hostile import sprinkle
from sandbox.incidents import grow, past_incidents
from sandbox.moments import DAY, HOUR, iso, ticks_of

# Recorded: 63 of 100 incidents of a page were merged shells; elsewhere about a tenth were.
_SHELLS, _MANY_SHELLS = 0.1, 0.6
BIGGEST, BIGGEST_ALERTS = "Fabrikam", 150
# A bulk change gave this many incidents one lastUpdateTime: more than a page of them.
BULK, BULK_COUNT = "Tailspin Toys", 130


def build_past(rng: random.Random, estate: Estate, tenant: Tenant, *, bounds: tuple[int, int], epoch: int) -> list[Raw]:
    """All incidents of a tenant as they stand at `epoch`; between `bounds` of them, both included."""
    count = rng.randint(*bounds)
    if tenant.name == BULK:
        count = max(count, min(bounds[1], BULK_COUNT + 20))
    shells = _MANY_SHELLS if tenant.name in MOSTLY_MERGED else _SHELLS
    raws = past_incidents(rng, estate, tenant_id=tenant.tenant_id, count=count, shells=shells, epoch=epoch)
    if tenant.name == BIGGEST:
        _largest(rng, estate, raws)
    if tenant.name == BULK:
        _one_instant(raws, epoch)
    if count >= 20:
        sprinkle(rng, raws)
    return raws


def _largest(rng: random.Random, estate: Estate, raws: list[Raw]) -> None:
    chosen = next((raw for raw in reversed(raws) if raw["alerts"]), None)
    if chosen:
        grow(chosen, rng, estate, alerts=BIGGEST_ALERTS, at=ticks_of(chosen["createdTime"]))


def _one_instant(raws: list[Raw], epoch: int) -> None:
    moment = epoch - 2 * HOUR - 10_001
    old = [raw for raw in raws if ticks_of(raw["createdTime"]) < epoch - DAY]
    for raw in old[:BULK_COUNT]:
        raw["lastUpdateTime"] = iso(moment)
