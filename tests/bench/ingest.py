"""What it costs to store pages: first load, nothing changed, one in twenty changed, heavy ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
from django.db import connection
from django.utils import timezone

from incidents.models import Alert, Evidence, Incident
from tenants import leases, scope
from tenants.leases import Lease
from tenants.models import Customer, SyncState, Tenant, TenantState
from tests.bench.measuring import Cost, Goal, measured, ratio
from tests.bench.methods import Copied, Method, bulk_create, ours, update_or_create
from tests.bench.pages import PAGE, changed, pages

Costs = dict[str, list[Cost]]
COUNTED = (
    "incidents_incident",
    "incidents_alert",
    "incidents_evidence",
    "incidents_incidentraw",
    "incidents_incidentsearch",
)


class Wrong(Exception):
    """Two methods do not hold the same, or something was written that should not have been."""


@contextmanager
def owner_connection() -> Iterator["psycopg.Connection[Any]"]:
    """As the cluster's administrator, past row-level security."""
    from tests.bench.stage import administrator_url

    with psycopg.connect(administrator_url(), autocommit=True) as held:
        yield held


class Ingest:
    """Rounds of the same pages through every method, each into a tenant of its own in the same tables."""

    def __init__(self, administrator: "psycopg.Connection[Any]", *, seed: int) -> None:
        self.administrator, self.seed = administrator, seed
        self.now = timezone.now()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self.backend = cursor.fetchone()[0]
        self.copying = administrator.info.backend_pid

    def tenant(self) -> tuple[Tenant, Lease]:
        """A new connected tenant, leased by us."""
        with scope.operations():
            name = uuid4().hex[:12]
            customer = Customer.objects.create(name=name)
            tenant = Tenant.objects.create(
                customer=customer, entra_id=uuid4(), slug=name, name=name, state=TenantState.CONNECTED,
                state_since=self.now, connected_at=self.now,
            )  # fmt: skip
            SyncState.objects.update_or_create(tenant=tenant, defaults={"next_due_at": self.now})
        lease = leases.claim(tenant, owner="bench")
        assert lease is not None
        return tenant, lease

    def wal(self) -> int:
        """Where the write-ahead log stands, in bytes."""
        row = self.administrator.execute("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')").fetchone()
        return int(row[0]) if row else 0

    def written(self) -> int:
        """Rows written so far, over the tables of incidents."""
        self.administrator.execute("SELECT pg_stat_force_next_flush()")
        row = self.administrator.execute(
            "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables WHERE relname = ANY (%s)",
            [list(COUNTED)],
        ).fetchone()
        return int(row[0]) if row else 0

    def cost(self, method: Method, tenant: Tenant, of: list[list[bytes]], *, copying: bool = False) -> Cost:
        """One incident's share of storing these pages."""

        def store() -> None:
            for page in of:
                method(tenant, page, self.now)

        backend = self.copying if copying else self.backend
        return measured(store, backend=backend, wal=self.wal).per(sum(map(len, of)))


def counts(tenant: Tenant) -> tuple[int, int, int]:
    """Incidents, alerts, evidence of one tenant."""
    with scope.tenant(tenant.pk):
        return Incident.objects.count(), Alert.objects.count(), Evidence.objects.count()


def run(*, seed: int, rounds: int, say: Callable[[str], None]) -> tuple[list[Goal], dict[str, Any]]:
    """All of it. Raises Wrong where the methods do not agree."""
    with owner_connection() as administrator:
        bench = Ingest(administrator, seed=seed)
        goals, figures = standard(bench, rounds, say)
        more, heavy_figures = heavy(bench, max(2, rounds // 2), say)
    return goals + more, figures | heavy_figures


def standard(bench: Ingest, rounds: int, say: Callable[[str], None]) -> tuple[list[Goal], dict[str, Any]]:
    """Ordinary pages."""
    many = pages(bench.seed, count=10, at=datetime(2026, 3, 1, tzinfo=UTC))
    few, one = many[:4], [many[0][:25]]
    costs: Costs = {}

    def note(name: str, cost: Cost) -> None:
        costs.setdefault(name, []).append(cost)

    copied = Copied(bench.administrator)
    for turn in range(rounds + 1):
        mine, lease = bench.tenant()
        theirs, naive, floor = (bench.tenant()[0] for _ in range(3))
        first = {
            "ours first": bench.cost(ours(lease), mine, many),
            "bulk first": bench.cost(bulk_create, theirs, few),
            "naive first": bench.cost(update_or_create, naive, one),
            "copy first": bench.cost(copied, floor, many, copying=True),
        }
        agree(mine, floor, many)
        before = bench.written()
        again = {"ours same": bench.cost(ours(lease), mine, many)}
        if (wrote := bench.written() - before) != 0:
            raise Wrong(f"Unchanged pages wrote {wrote} rows.")
        again["bulk same"] = bench.cost(bulk_create, theirs, few)
        touched = [changed(page, share=0.05, turn=turn + 1) for page in many]
        again["ours 5 %"] = bench.cost(ours(lease), mine, touched)
        again["bulk 5 %"] = bench.cost(bulk_create, theirs, touched[:4])
        if turn:  # the first round warms up
            for name, cost in {**first, **again}.items():
                note(name, cost)
        say(f"round {turn} of {rounds}")
    return goals_of(costs), told(costs)


def agree(mine: Tenant, floor: Tenant, many: list[list[bytes]]) -> None:
    """Ours and COPY hold the same number of everything."""
    if counts(mine) != counts(floor) or counts(mine)[0] != sum(map(len, many)):
        raise Wrong(f"Ours holds {counts(mine)}, COPY {counts(floor)}.")


def goals_of(costs: Costs) -> list[Goal]:
    """Each goal with its figure of this run."""

    def cpu(name: str) -> list[float]:
        return [cost.cpu for cost in costs[name]]

    def wal(name: str) -> list[float]:
        return [cost.wal for cost in costs[name]]

    return [
        Goal("first load, CPU to COPY alone", ratio(cpu("ours first"), cpu("copy first")), 1.15, at_most=True),
        Goal("first load, less CPU than bulk_create", ratio(cpu("bulk first"), cpu("ours first")), 3),
        Goal("first load, less CPU than update_or_create", ratio(cpu("naive first"), cpu("ours first")), 40),
        Goal("nothing changed, less CPU than bulk_create", ratio(cpu("bulk same"), cpu("ours same")), 20),
        Goal("one in twenty changed, less CPU than bulk_create", ratio(cpu("bulk 5 %"), cpu("ours 5 %")), 18),
        Goal("one in twenty changed, less WAL than bulk_create", ratio(wal("bulk 5 %"), wal("ours 5 %")), 40),
    ]


def told(costs: Costs) -> dict[str, Any]:
    """Medians: milliseconds per incident (client, PostgreSQL) and KiB of WAL."""
    middle = {name: sorted(found, key=lambda cost: cost.cpu)[len(found) // 2] for name, found in costs.items()}
    return {
        name: {
            "client_ms": round(cost.client, 4),
            "postgres_ms": round(cost.server, 4),
            "wal_kib": round(cost.wal / 1024, 2),
        }
        for name, cost in middle.items()
    }


def heavy(bench: Ingest, rounds: int, say: Callable[[str], None]) -> tuple[list[Goal], dict[str, Any]]:
    """Pages of 50 alerts per incident, of which one in twenty changed."""
    page = pages(bench.seed, count=1, at=datetime(2026, 2, 1, tzinfo=UTC), alerts=50)[0]
    costs: Costs = {}
    mine, lease = bench.tenant()
    theirs, _ = bench.tenant()
    bench.cost(ours(lease), mine, [page])
    bench.cost(bulk_create, theirs, [page])
    for turn in range(rounds):
        touched = [changed(page, share=0.05, turn=turn + 1)]
        costs.setdefault("heavy ours 5 %", []).append(bench.cost(ours(lease), mine, touched))
        costs.setdefault("heavy bulk 5 %", []).append(bench.cost(bulk_create, theirs, touched))
        say(f"heavy round {turn + 1} of {rounds}")
    bulk, own = ([cost.cpu for cost in costs[name]] for name in ("heavy bulk 5 %", "heavy ours 5 %"))
    figures = told(costs) | {"heavy page MB": round(sum(map(len, page)) / 1e6, 1), "page": PAGE}
    return [Goal("heavy page, one in twenty changed, less CPU than bulk_create", ratio(bulk, own), 50)], figures
