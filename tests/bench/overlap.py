"""A page that holds nothing new, fetched and stored, against a floor that fetches it and hashes what is on it."""

import os
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import requests
from django.utils import timezone

from defender.clouds import XDR
from defender.splitting import split_page
from defender.wire import content_hash
from demo.ports import free_port
from demo.processes import Process, Waiter, wait_until
from incidents.passes import written
from incidents.store import store_page
from tenants import leases, tokens
from tenants.clients import client_for
from tests.bench.ingest import Ingest, owner_connection
from tests.bench.measuring import Goal, measured
from tests.bench.stage import FOLDER
from tests.repository.tree import ROOT

TURNS = 30


def run(*, seed: int, rounds: int, say: Callable[[str], None]) -> tuple[list[Goal], dict[str, Any]]:
    """The stand-in cloud runs in a process of its own, so that its CPU is nobody's here."""
    from django.conf import settings

    ratios, costs = [], []
    with cloud(seed) as url_of_cloud, owner_connection() as administrator:
        settings.SANDBOX_URLS = dict.fromkeys(("login", "xdr", "mde", "graph"), url_of_cloud)
        tokens.forget_everything()
        bench = Ingest(administrator, seed=seed)
        tenant, lease = bench.tenant()
        tenant.entra_id = UUID(requests.get(f"{url_of_cloud}/_sandbox/tenants", timeout=10).json()["tenants"][0]["id"])
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
            mine, least = measured(ours, backend=bench.backend), measured(floor)
            ratios.append(mine.cpu / least.cpu)
            costs.append((mine.per(TURNS), least.per(TURNS)))
            say(f"overlap round {turn + 1} of {rounds}")
        if (wrote := bench.written() - before) != 0:
            raise RuntimeError(f"Unchanged pages wrote {wrote} rows.")
    tokens.forget_everything()
    mine, least = costs[len(costs) // 2]
    figures = {"overlap page ms": round(mine.cpu, 2), "fetch + hash ms": round(least.cpu, 2)}
    return [Goal("overlap page, CPU to fetch + hash", statistics.median(ratios), 1.6, at_most=True)], figures


@contextmanager
def cloud(seed: int) -> Iterator[str]:
    """The stand-in with one tenant of a hundred incidents, in a process of its own; it counts no calls."""
    port = free_port(19800)
    arguments = ["--port", str(port), "--seed", str(seed), "--tenants", "1", "--incidents", "100-100", "--pace", "0"]
    process = Process(
        "sandbox", ["-m", "sandbox", *arguments, "--connected"], env=os.environ, log=FOLDER / "sandbox.log", cwd=ROOT
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(Waiter(f"{url}/_sandbox/health"), seconds=30, watching=[process])
        requests.post(f"{url}/_sandbox/quotas", json={"enabled": False}, timeout=10).raise_for_status()
        yield url
    finally:
        process.stop()
