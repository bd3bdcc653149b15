"""What a token costs that is held already, with one tenant and with ten thousand."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from defender.auth import AccessToken, TokenSource, _Held, _Tenant
from defender.clouds import XDR
from defender.facts import TokenFacts
from tenants import tokens
from tests.bench.measuring import Goal

SIZES = (1, 100, 1_000, 10_000)
ASKED = 20_000


def run(*, say: Callable[[str], None]) -> tuple[list[Goal], dict[str, Any]]:
    """Nothing is fetched: the tokens are put where a fetch would have put them."""
    per_token = {}
    for size in SIZES:
        source, tenants = held(size)
        calls = [tenants[n % size] for n in range(ASKED)]
        began = time.process_time()
        for tenant in calls:
            source.token(tenant, XDR)
        per_token[size] = 1000 * (time.process_time() - began) / ASKED
    say("tokens done")
    flat = per_token[SIZES[-1]] / per_token[SIZES[0]]
    goals = [
        Goal("warm token, milliseconds", max(per_token.values()), 0.03, at_most=True),
        Goal("warm token, 10,000 tenants to one", flat, 1.5, at_most=True),
    ]
    return goals, {f"warm token of {size}": f"{1000 * cost:.2f} µs" for size, cost in per_token.items()}


def held(size: int) -> tuple[TokenSource, list[Any]]:
    """A source with a good token for each of so many tenants; any request to Entra ID would fail."""
    source = TokenSource(tokens.cloud(), "5a11db0c-0000-4000-8000-00000000c0de", tokens.credential(), _NoWay())  # type: ignore[arg-type]
    tenants = [uuid4() for _ in range(size)]
    for tenant in tenants:
        token = AccessToken("x", None, TokenFacts(readable=False))  # type: ignore[arg-type]
        source._tenants[tenant] = _Tenant(held={XDR.key: _Held(token=token, renew_at=time.monotonic() + 3600)})
    return source, tenants


class _NoWay:
    """Stands where the transport would; whoever calls it fails."""

    def call(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("A warm token asked Entra ID.")
