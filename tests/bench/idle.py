"""What an idle poll costs through Celery, and how many tenants a minute sees when every answer takes 200 ms."""

import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import requests

from demo.processes import Process, Waiter, wait_until
from tests.bench.agreement import Wrong
from tests.bench.measuring import Goal, cpu_of, ratios
from tests.bench.stage import FOLDER, administrator_url, children, postgres_pid, redis_pid
from tests.repository.tree import ROOT

TENANTS = 1000
FEW = 60  # tenants with a task each: at 200 ms two processes take six seconds for them
FAST = {"SYNC_SHARD": "100", "SYNC_THREADS": "50", "MICROSOFT_POOL_SIZE": "120"}
EMPTY_TASKS = 1000
_SEED = """
WITH customer AS (INSERT INTO tenants_customer (name, created_at) VALUES ('Idle', now()) RETURNING id),
tenant AS (INSERT INTO tenants_tenant (customer_id, entra_id, slug, name, domain, state, state_code, state_detail,
        state_reference, state_since, accepted_roles, connected_at, created_at, check_due_at)
    SELECT customer.id, gen_random_uuid(), 'idle-' || n, 'Idle ' || n, '', 'connected', '', '', '', now(), '[]', now(),
        now(), now() + interval '1 day' FROM customer, generate_series(1, %(n)s) AS n RETURNING id)
INSERT INTO tenants_syncstate (tenant_id, next_due_at, lease_owner, lease_epoch, watermark, watermark_text,
    backfilled_at, sweep_due_at, gaps_left, pass_kind, pass_since, pass_skip, pass_newest, pass_missing, pass_outdated,
    pass_silent,
    failures, is_slow, last_error_code, last_error, progress_pages, progress_seen, progress_reached, last_ok_at)
SELECT id, NULL, '', 0, now(), to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), now(),
    now() + interval '30 days', 0, '', '', 0, '', 0, 0, 0, 0, false, '', '', 0, 0, '', now() FROM tenant
"""
_DUE = """
UPDATE tenants_syncstate SET next_due_at = clock_timestamp() - interval '1 second', lease_until = NULL
WHERE tenant_id IN (SELECT id FROM tenants_tenant WHERE slug LIKE 'idle-%%' ORDER BY id LIMIT %(n)s)
"""
_GOOD = "SELECT count(*) FROM tenants_syncstate WHERE last_ok_at >= %s AND failures = 0 AND last_error_code = ''"
_OPEN = "SELECT count(*) FROM tenants_syncstate WHERE next_due_at <= clock_timestamp() OR lease_until IS NOT NULL"


def seed() -> None:
    """A thousand connected tenants whose first sync is long over; none is due."""
    with psycopg.connect(administrator_url(), autocommit=True) as server:
        server.execute("UPDATE tenants_syncstate SET next_due_at = NULL, lease_until = NULL")
        server.execute(_SEED, {"n": TENANTS})


def make_due(count: int = TENANTS) -> None:
    """So many tenants are due, with nothing spent."""
    with psycopg.connect(administrator_url(), autocommit=True) as server:
        server.execute("DELETE FROM tenants_budget")
        server.execute(_DUE, {"n": count})


def wait_until_done(seconds: float) -> float:
    """Seconds until nothing is due and nobody holds a lease. Raises TimeoutError."""
    began = time.monotonic()
    with psycopg.connect(administrator_url(), autocommit=True) as server:
        while (left := (server.execute(_OPEN).fetchone() or [0])[0]) and time.monotonic() - began < seconds:
            time.sleep(0.02)
    if left:
        raise TimeoutError(f"{left} tenants were not read within {seconds:.0f} s.")
    return time.monotonic() - began


def lists(port: int) -> int:
    """How many lists the upstream was asked for so far."""
    return int(requests.get(f"http://127.0.0.1:{port}/count", timeout=10).content)


@contextmanager
def each_read_once(port: int, count: int = TENANTS) -> Iterator[None]:
    """Make so many tenants due. Raises Wrong unless each is then read once and well: a failure would be cheap too."""
    before = lists(port)
    make_due(count)
    with psycopg.connect(administrator_url(), autocommit=True) as server:
        began = (server.execute("SELECT clock_timestamp()").fetchone() or [None])[0]
        yield
        good = (server.execute(_GOOD, [began]).fetchone() or [0])[0]
    if good != count or lists(port) - before != count:
        raise Wrong(f"Of {count} tenants {good} were read, with {lists(port) - before} calls.")


@contextmanager
def upstream(port: int, delay: int) -> Iterator[None]:
    """The cheap cloud, in a process of its own."""
    arguments = ["-m", "tests.bench.upstream", str(port), str(delay)]
    process = Process("upstream", arguments, env=os.environ, log=FOLDER / "upstream.log", cwd=ROOT)
    try:
        if not wait_until(Waiter(f"http://127.0.0.1:{port}/count"), seconds=20, watching=[process]):
            raise TimeoutError("The upstream did not begin.")
        yield
    finally:
        process.stop()


@contextmanager
def workers(
    names: list[str], pool: list[str], env: Mapping[str, str], queue: str = "portal"
) -> Iterator[list[Process]]:
    """Celery workers, ready."""
    started = [
        Process(
            name,
            ["-m", "celery", "-A", "tests.bench.tasks", "--quiet", "worker", *pool, "-Q", queue, "--without-gossip",
             "--without-mingle", "--without-heartbeat", "-n", f"{name}@bench", "--loglevel", "ERROR"],
            env={**os.environ, **env}, log=FOLDER / f"{name}.log", cwd=ROOT,
        )
        for name in names
    ]  # fmt: skip
    try:
        if not wait_until(lambda: all_answer(names), seconds=30, watching=started):  # type: ignore[arg-type]
            raise TimeoutError(f"Not all of {names} answered.")
        yield started
    finally:
        for process in started:
            process.stop()


def all_answer(names: list[str]) -> bool:
    """Whether these workers take messages."""
    from portal.celery import app

    addresses = [f"{name}@bench" for name in names]
    return len(app.control.ping(destination=addresses, timeout=1.0) or ()) == len(names)


def family(pids: Iterable[int]) -> float:
    """CPU of processes and of those they have started, in milliseconds."""
    return sum(cpu_of(one) for pid in pids for one in (pid, *children(pid)))


def run(*, rounds: int, port: int, say: Callable[[str], None]) -> tuple[list[Goal], dict[str, Any]]:
    """Idle polls and empty tasks in turns, then throughput at 200 ms."""
    seed()
    found = polls(rounds, port, say)
    fast, slow = throughput(3 if rounds > 2 else 1, port, say)
    name = "idle poll through Celery, ms CPU per tenant (worker, producer, Redis)"
    goals = [
        Goal(name, found["idle"], 1.2, at_most=True),
        Goal("idle poll, CPU to one empty Celery task", ratios(found["idle"], found["empty"]), 1.0, at_most=True),
        Goal("tenants a minute at 200 ms, to one task per tenant", ratios(fast, slow), 20),
    ]
    figures = {f"{name} ms": round(statistics.median(each), 3) for name, each in found.items()}
    return goals, figures | {
        "tenants/min at 200 ms": round(statistics.median(fast)),
        "one task per tenant": round(statistics.median(slow)),
    }


def polls(rounds: int, port: int, say: Callable[[str], None]) -> dict[str, list[float]]:
    """Each round's ms of CPU: of one idle poll, of PostgreSQL for it, of one empty task."""
    found: dict[str, list[float]] = {"idle": [], "idle postgres": [], "empty": []}
    with upstream(port, 0), workers(["idle"], ["-P", "threads", "-c", "8"], {}) as (worker,):
        with each_read_once(port):
            poll()
        for turn in range(rounds):
            with each_read_once(port):
                database = family([postgres_pid()])
                found["idle"].append(costing(worker, poll) / TENANTS)
                found["idle postgres"].append((family([postgres_pid()]) - database) / TENANTS)
            found["empty"].append(costing(worker, do_nothing) / EMPTY_TASKS)
            told = ", ".join(f"{name} {each[-1]:.2f} ms" for name, each in found.items())
            say(f"idle round {turn + 1} of {rounds}: {told}")
    return found


def poll() -> None:
    """Wake the worker, and wait until every tenant has been read."""
    send("incidents.sync_due", 2)
    wait_until_done(60)


def do_nothing() -> None:
    """So many messages that do nothing."""
    send("bench.empty", EMPTY_TASKS)
    drained()


def costing(worker: Process, work: Callable[[], object]) -> float:
    """CPU of worker, Redis and this process (which sends) for a piece of work, in ms."""

    def spent() -> float:
        return family([worker.pid]) + cpu_of(redis_pid()) + 1000 * sending

    global sending
    sending = 0.0
    before = spent()
    work()
    return spent() - before


sending = 0.0


def send(task: str, count: int) -> None:
    """So many messages, as a beat sends them."""
    from portal.celery import app

    global sending
    queue = "one" if task == "bench.one_tenant" else "portal"
    began = time.process_time()
    with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
        for _ in range(count):
            app.send_task(task, producer=producer, ignore_result=True, queue=queue)
    sending += time.process_time() - began


def drained() -> None:
    """Until the queue is empty and every message has been acknowledged, which comes after the task."""
    import redis
    from django.conf import settings

    prefix = settings.REDIS_KEY_PREFIX
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        while client.llen(f"{prefix}portal") or client.hlen(f"{prefix}unacked"):
            time.sleep(0.02)


def throughput(rounds: int, port: int, say: Callable[[str], None]) -> tuple[list[float], list[float]]:
    """Tenants a minute at 200 ms per answer: two workers with shards, and one task per tenant on two processes."""
    fast: list[float] = []
    slow: list[float] = []
    with (
        upstream(port, 200),
        workers(["fast-a", "fast-b"], ["-P", "threads", "-c", "8"], FAST),
        workers(["slow"], ["-P", "prefork", "-c", "2"], {}, queue="one"),
    ):
        for turn in range(rounds + 1):
            quick, one_each = timed(port, "incidents.sync_due", 8, TENANTS), timed(port, "bench.one_tenant", FEW, FEW)
            if turn:  # the first round fetches tokens
                fast.append(quick)
                slow.append(one_each)
                say(f"{quick:.0f} tenants a minute in shards, {one_each:.0f} with one task each")
    return fast, slow


def timed(port: int, task: str, messages: int, tenants: int) -> float:
    """Tenants a minute."""
    with each_read_once(port, tenants):
        began = time.monotonic()
        send(task, messages)
        wait_until_done(120)
        return 60 * tenants / (time.monotonic() - began)
