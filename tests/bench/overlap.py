"""A page that holds nothing new, fetched and stored, against a floor that fetches it and hashes what is on it."""

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from defender.clouds import XDR
from defender.splitting import split_page
from defender.wire import content_hash
from incidents.passes import written
from incidents.store import store_page
from sandbox.server import running
from sandbox.world import World
from tenants import leases, tokens
from tenants.clients import client_for
from tests.bench.ingest import Ingest, owner_connection
from tests.bench.measuring import Cost, Goal, measured
from tests.bench.stage import administrator_url

TURNS = 30
__all__ = ["administrator_url", "run"]


def run(*, seed: int, rounds: int, say: Callable[[str], None]) -> tuple[list[Goal], dict[str, Any]]:
    """The stand-in cloud runs in a process of its own, so that its CPU is nobody's here."""
    from django.conf import settings

    world = World(seed=seed, tenants=["Contoso"], incidents=(100, 100), quotas=False)
    theirs = world.tenant("Contoso")
    ratios, costs = [], []
    with running(world) as server, owner_connection() as administrator:
        settings.SANDBOX_URLS = dict.fromkeys(("login", "xdr", "mde", "graph"), server.url)
        tokens.forget_everything()
        bench = Ingest(administrator, seed=seed)
        tenant, lease = bench.tenant()
        tenant.entra_id = UUID(theirs.tenant_id)
        client = client_for(tenant, background=False, prepaid=10**6)
        since = written(datetime.now(UTC) - timedelta(days=180))
        token = tokens.source().token(tenant.entra_id, XDR)
        url = f"https://api.security.microsoft.com/api/incidents?$filter=lastUpdateTime%20ge%20{since}&$top=100&$skip=0"

        def floor() -> None:
            for _ in range(TURNS):
                reply = tokens.transport().call("GET", url, resource=XDR, bearer=token.value)
                for item in split_page(reply.body).items:
                    content_hash(item)

        def ours() -> None:
            for _ in range(TURNS):
                page = next(client.incident_pages(since=since))
                fence = lambda: leases.fence(lease)  # noqa: E731
                store_page(tenant=tenant, items=page.items, now=timezone.now(), fence=fence)

        ours()
        before = bench.written()
        for turn in range(rounds):
            mine = _alone(ours, bench.backend)
            least = _alone(floor, 0)
            ratios.append(mine.cpu / least.cpu)
            costs.append((mine.per(TURNS), least.per(TURNS)))
            say(f"overlap round {turn + 1} of {rounds}")
        if (wrote := bench.written() - before) != 0:
            raise RuntimeError(f"Unchanged pages wrote {wrote} rows.")
    tokens.forget_everything()
    mine, least = costs[len(costs) // 2]
    figures = {"overlap page ms": round(mine.cpu, 2), "fetch + hash ms": round(least.cpu, 2)}
    return [Goal("overlap page, CPU to fetch + hash", statistics.median(ratios), 1.6, at_most=True)], figures


def _alone(work: Callable[[], object], backend: int) -> Cost:
    """CPU of this thread only: the stand-in cloud answers from another thread of this process."""
    cpu = time.thread_time()
    cost = measured(work, backend=backend)
    return Cost(1000 * (time.thread_time() - cpu), cost.server)
