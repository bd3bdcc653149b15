"""A page that holds nothing new, fetched and stored, against a floor that fetches it and hashes what is on it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import requests
from django.utils import timezone

from defender.client import DefenderClient
from defender.clouds import XDR
from defender.splitting import split_page
from defender.wire import content_hash
from demo.ports import free_port
from demo.processes import Process, Waiter, wait_until
from incidents.passes import written as as_written
from incidents.store import store_page
from tenants import leases, tokens
from tenants.clients import client_for
from tenants.leases import Lease
from tenants.models import Tenant
from tests.bench.agreement import Wrong, written
from tests.bench.ingest import Ingest, owner_connection
from tests.bench.measuring import Cost, Goal, measured, middle, ratios
from tests.bench.pages import PAGE, pages
from tests.bench.stage import FOLDER
from tests.repository.tree import ROOT

TURNS = 30
LIST = "https://api.security.microsoft.com/api/incidents"


def run(*, seed: int, rounds: int, say: Callable[[str], None]) -> tuple[list[Goal], dict[str, Any]]:
    """The stand-in cloud runs in a process of its own, so that its CPU is nobody's here."""
    from django.conf import settings

    mine: list[Cost] = []
    least: list[Cost] = []
    with cloud(seed) as (url, entra_id), owner_connection() as administrator:
        settings.SANDBOX_URLS = dict.fromkeys(("login", "xdr", "mde", "graph"), url)
        tokens.forget_everything()
        bench = Ingest(administrator, seed=seed)
        tenant, lease = bench.tenant()
        tenant.entra_id = entra_id
        since = as_written(datetime.now(UTC) - timedelta(days=180))
        client = client_for(tenant, background=False, prepaid=10**6)
        read_and_store(client, since, tenant, lease)
        before = written(administrator)
        for turn in range(rounds):
            ours = measured(lambda: read_and_store(client, since, tenant, lease), backend=bench.backend)
            mine.append(ours.per(TURNS))
            least.append(measured(lambda: fetch_and_hash(entra_id, since)).per(TURNS))
            say(f"overlap round {turn + 1} of {rounds}")
        if (wrote := written(administrator) - before) != 0:
            raise Wrong(f"Unchanged pages wrote {wrote} rows.")
    tokens.forget_everything()
    goal = Goal(
        "overlap page, CPU to fetch + hash",
        ratios([cost.cpu for cost in mine], [cost.cpu for cost in least]),
        1.6,
        at_most=True,
    )
    own, floor = middle(mine), middle(least)
    return [goal], {
        "overlap page": {"client_ms": round(own.client, 2), "postgres_ms": round(own.server, 2)},
        "fetch + hash ms": round(floor.client, 2),
    }


def read_and_store(client: DefenderClient, since: str, tenant: Tenant, lease: Lease) -> None:
    """As a pass does it: the client's page, and the store under the lease's fence."""
    for _ in range(TURNS):
        page = next(client.incident_pages(since=since))
        store_page(tenant=tenant, items=page.items, now=timezone.now(), fence=lambda: leases.fence(lease))


def fetch_and_hash(entra_id: UUID, since: str) -> None:
    """The least that tells that nothing is new: the same page through the same transport, split and hashed."""
    token = tokens.source().token(entra_id, XDR)
    url = f"{LIST}?$filter=lastUpdateTime%20ge%20{since}&$top=100&$skip=0"
    for _ in range(TURNS):
        items = split_page(tokens.transport().call("GET", url, resource=XDR, bearer=token.value).body).items
        if len(items) != PAGE:
            raise Wrong(f"A page held {len(items)} incidents instead of {PAGE}.")
        for item in items:
            content_hash(item)


@contextmanager
def cloud(seed: int) -> Iterator[tuple[str, UUID]]:
    """The stand-in in a process of its own, which counts no calls: its address and its one tenant.

    The newest hundred incidents are an ordinary page. Those that every tenant of the stand-in has anyway lie behind:
    one of them holds half a surrogate pair, which makes the whole page take the slow way and hides all other costs.
    """
    port = free_port(19800)
    arguments = ["--port", str(port), "--seed", str(seed), "--tenants", "1", "--incidents", "100-100", "--pace", "0"]
    process = Process(
        "sandbox", ["-m", "sandbox", *arguments, "--connected"], env=os.environ, log=FOLDER / "sandbox.log", cwd=ROOT
    )
    control = f"http://127.0.0.1:{port}/_sandbox"
    try:
        wait_until(Waiter(f"{control}/health"), seconds=30, watching=[process])
        with requests.Session() as session:
            session.post(f"{control}/quotas", json={"enabled": False}, timeout=10).raise_for_status()
            tenant = session.get(f"{control}/tenants", timeout=10).json()["tenants"][0]["id"]
            for item in reversed(pages(seed, count=1, at=datetime.now(UTC))[0]):
                fields = {name: msgspec.json.decode(item)[name] for name in ("incidentName", "tags", "alerts")}
                session.post(f"{control}/tenants/{tenant}/incidents", json=fields, timeout=10).raise_for_status()
        yield f"http://127.0.0.1:{port}", UUID(tenant)
    finally:
        process.stop()
