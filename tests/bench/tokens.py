"""What a token costs that is held already, with one tenant and with ten thousand."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from defender.auth import TENANTS_KEPT, AccessToken, TokenSource, _Held, _Tenant
from defender.clouds import XDR
from defender.facts import TokenFacts
from tenants import tokens
from tests.bench.measuring import Goal, ratios

SIZES = (1, 100, 1_000, 10_000)
ASKED = 20_000


def run(*, rounds: int, say: Callable[[str], None]) -> tuple[list[Goal], dict[str, Any]]:
    """Nothing is fetched: the tokens are put where a fetch would have put them."""
    wire = _Counted()
    sources = {size: held(size, wire) for size in SIZES}
    spent: dict[int, list[float]] = {size: [] for size in SIZES}
    for turn in range(rounds + 1):
        for size, (source, tenants) in sources.items():
            cost = asking(source, tenants)
            if turn:  # the first round warms up
                spent[size].append(cost)
    say("tokens done")
    flat = ratios(spent[SIZES[-1]], spent[SIZES[0]])
    goals = [
        Goal(
            "warm token, milliseconds", [max(costs) for costs in zip(*spent.values(), strict=True)], 0.03, at_most=True
        ),
        Goal("warm token, 10,000 tenants to one", flat, 1.5, at_most=True),
        Goal("warm token, HTTP calls", [wire.calls], 0, at_most=True),
    ]
    figures: dict[str, Any] = {
        f"warm token of {size}, µs": round(1000 * sorted(costs)[len(costs) // 2], 2) for size, costs in spent.items()
    }
    return goals, figures | {"tenants kept by default": TENANTS_KEPT}


def asking(source: TokenSource, tenants: list[Any]) -> float:
    """Milliseconds of CPU for one token, over many."""
    calls = [tenants[n % len(tenants)] for n in range(ASKED)]
    began = time.process_time()
    for tenant in calls:
        source.token(tenant, XDR)
    return 1000 * (time.process_time() - began) / ASKED


def held(size: int, wire: "_Counted") -> tuple[TokenSource, list[Any]]:
    """A source that keeps so many tenants, with a good token for each."""
    credential = tokens.live_credentials()[-1].load()
    client_id = "5a11db0c-0000-4000-8000-00000000c0de"
    source = TokenSource(tokens.cloud(), client_id, credential, wire, kept=size)  # type: ignore[arg-type]
    tenants = [uuid4() for _ in range(size)]
    for tenant in tenants:
        token = AccessToken("x", None, TokenFacts(readable=False))  # type: ignore[arg-type]
        source._tenants[tenant] = _Tenant(held={XDR.key: _Held(token=token, renew_at=time.monotonic() + 3600)})
    return source, tenants


class _Counted:
    """Stands where the transport would, and counts; whoever calls it fails."""

    calls = 0

    def call(self, *_: Any, **__: Any) -> Any:
        self.calls += 1
        raise AssertionError("A warm token asked Entra ID.")
