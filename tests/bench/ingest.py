"""What it costs to store pages: first load, nothing changed, one in twenty changed, heavy ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
from django.db import connection
from django.utils import timezone

from tenants import leases, scope
from tenants.leases import Lease
from tenants.models import Customer, SyncState, Tenant, TenantState
from tests.bench.agreement import Wrong, agree, written
from tests.bench.measuring import Cost, Goal, measured, middle, ratios
from tests.bench.methods import Copied, Method, bulk_create, ours, read_only, update_or_create
from tests.bench.pages import changed, pages

Costs = dict[str, list[Cost]]
Pages = list[list[bytes]]
BULK = 4  # pages a round that the ORM stores; …
NAIVE = 25  # … incidents a round that are stored row by row; …
HEAVY_BULK = 25  # … and incidents of a heavy page that the ORM stores: a share is enough, all costs are per incident
HEAVY_TURNS = 4  # times a round that a heavy page changes: PostgreSQL's CPU is only told in steps of 10 ms


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
        self.costs: Costs = {}

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

    def cost(self, name: str, method: Method, tenant: Tenant, of: Pages) -> None:
        """Note one incident's share of storing these pages."""

        def store() -> None:
            for page in of:
                method(tenant, page, self.now)

        backend = self.copying if isinstance(method, Copied) else self.backend
        spent = measured(store, backend=backend, wal=self.wal)
        self.costs.setdefault(name, []).append(spent.per(sum(map(len, of))))

    def cpu(self, name: str) -> list[float]:
        """Each round's milliseconds per incident."""
        return [cost.cpu for cost in self.costs[name]]

    def told(self) -> dict[str, Any]:
        """Medians: milliseconds per incident (client, PostgreSQL) and KiB of WAL."""
        return {
            name: {
                "client_ms": round(cost.client, 4),
                "postgres_ms": round(cost.server, 4),
                "wal_kib": round(cost.wal / 1024, 2),
            }
            for name, cost in ((name, middle(costs)) for name, costs in self.costs.items())
        }


def run(*, seed: int, rounds: int, say: Callable[[str], None]) -> tuple[list[Goal], dict[str, Any]]:
    """All of it. Raises Wrong where the methods do not agree."""
    with owner_connection() as administrator:
        bench = Ingest(administrator, seed=seed)
        many = pages(seed, count=10 if rounds > 2 else 6, at=datetime(2026, 3, 1, tzinfo=UTC))
        for turn in range(rounds + 1):
            standard(bench, many, turn)
            say(f"round {turn} of {rounds}")
            if turn == 0:
                fresh = warmed_up(bench)
        size = heavy(bench, rounds, say)
        figures = bench.told() | {"page MB": round(sum(map(len, many[0])) / 1e6, 2), "heavy page MB": size}
        figures["ours first, before statistics, ms"] = fresh
        return goals_of(bench), figures


def warmed_up(bench: Ingest) -> float:
    """Forget the first round but for what a first load cost in it, in ms per incident, and gather statistics.

    On tables that nobody has analysed yet PostgreSQL checks foreign keys by a poor plan, and it keeps that plan until
    autovacuum comes by, at most a minute later. The rounds are to measure what holds for all the time after.
    """
    fresh = bench.costs["ours first"][0].cpu
    bench.costs.clear()
    bench.administrator.execute("ANALYZE")
    return round(fresh, 3)


def standard(bench: Ingest, many: Pages, turn: int) -> None:
    """A round over ordinary pages: first load, the same again, and with one in twenty changed."""
    few, one = many[:BULK], [many[0][:NAIVE]]
    (mine, lease), theirs, naive, floor = bench.tenant(), *(bench.tenant()[0] for _ in range(3))
    before = written(bench.administrator)
    bench.cost("ours first", ours(lease), mine, many)
    # Also the proof that the count can tell: without it, no write at all would look like a write not yet counted.
    if written(bench.administrator) - before < sum(map(len, many)):
        raise Wrong("A first load was not seen in PostgreSQL's count of rows written.")
    bench.cost("bulk first", bulk_create, theirs, few)
    bench.cost("naive first", update_or_create, naive, one)
    bench.cost("copy first", Copied(bench.administrator), floor, many)
    bench.cost("read only", read_only, floor, many)
    agree(bench.administrator, mine, floor, many, who="COPY")
    agree(bench.administrator, mine, theirs, few, who="bulk_create")
    agree(bench.administrator, mine, naive, one, who="update_or_create")
    unchanged(bench, lease, mine, many)
    bench.cost("bulk same", bulk_create, theirs, few)
    touched = [changed(page, share=0.05, turn=turn + 1) for page in many]
    bench.cost("ours 5 %", ours(lease), mine, touched)
    bench.cost("bulk 5 %", bulk_create, theirs, touched[:BULK])
    agree(bench.administrator, mine, theirs, touched[:BULK], who="bulk_create after changes")


def unchanged(bench: Ingest, lease: Lease, mine: Tenant, many: Pages) -> None:
    """The same pages again. Raises Wrong where a row was written."""
    before = written(bench.administrator)
    bench.cost("ours same", ours(lease), mine, many)
    if (wrote := written(bench.administrator) - before) != 0:
        raise Wrong(f"Unchanged pages wrote {wrote} rows.")


def heavy(bench: Ingest, rounds: int, say: Callable[[str], None]) -> float:
    """Pages of 50 alerts per incident, of which one in twenty changed. Returns the page's size in MB."""
    page = pages(bench.seed, count=1, at=datetime(2026, 2, 1, tzinfo=UTC), alerts=(50, 50))[0]
    (mine, lease), (theirs, _) = bench.tenant(), bench.tenant()
    bench.cost("heavy ours first", ours(lease), mine, [page])
    bench.cost("heavy bulk first", bulk_create, theirs, [page[:HEAVY_BULK]])
    for turn in range(rounds):
        first = 1 + turn * HEAVY_TURNS
        touched = [changed(page, share=0.05, turn=first + more) for more in range(HEAVY_TURNS)]
        bench.cost("heavy ours 5 %", ours(lease), mine, touched)
        bench.cost("heavy bulk 5 %", bulk_create, theirs, [touched[-1][:HEAVY_BULK]])
        agree(bench.administrator, mine, theirs, [touched[-1][:HEAVY_BULK]], who="bulk_create on heavy pages")
        say(f"heavy round {turn + 1} of {rounds}")
    return round(sum(map(len, page)) / 1e6, 1)


def goals_of(bench: Ingest) -> list[Goal]:
    """Each goal with its figure of this run."""

    def less(other: str, own: str) -> list[float]:
        return ratios(bench.cpu(other), bench.cpu(own))

    heavier = less("heavy bulk 5 %", "heavy ours 5 %")
    wal = ratios(*([cost.wal for cost in bench.costs[name]] for name in ("bulk 5 %", "ours 5 %")))
    return [
        Goal("first load, CPU to COPY alone", less("ours first", "copy first"), 1.15, at_most=True),
        Goal("first load, less CPU than bulk_create", less("bulk first", "ours first"), 3),
        Goal("first load, less CPU than update_or_create", less("naive first", "ours first"), 40),
        Goal("nothing changed, less CPU than bulk_create", less("bulk same", "ours same"), 20),
        Goal("nothing changed, rows written", [0], 0, at_most=True),  # any other number has raised Wrong
        Goal("one in twenty changed, less CPU than bulk_create", less("bulk 5 %", "ours 5 %"), 18),
        Goal("one in twenty changed, less WAL than bulk_create", wal, 40),
        Goal("heavy page, one in twenty changed, less CPU than bulk_create", heavier, 50),
    ]
