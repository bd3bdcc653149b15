"""What an idle poll costs through Celery, and how many tenants a minute sees when every answer takes 200 ms."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from demo.processes import Process
from tests.bench.measuring import Goal, cpu_of
from tests.bench.stage import FOLDER, administrator_url, redis_pid
from tests.repository.tree import ROOT

TENANTS = 1000
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
    failures, is_slow, last_error_code, last_error, progress_pages, progress_seen, last_ok_at)
SELECT id, NULL, '', 0, now(), to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), now(),
    now() + interval '30 days', 0, '', '', 0, '', 0, 0, 0, 0, false, '', '', 0, 0, now() FROM tenant
"""
_DUE = """
UPDATE tenants_syncstate SET next_due_at = clock_timestamp() - interval '1 second', lease_until = NULL
WHERE tenant_id IN (SELECT id FROM tenants_tenant WHERE slug LIKE 'idle-%%' ORDER BY id LIMIT %(n)s)
"""
_OPEN = "SELECT count(*) FROM tenants_syncstate WHERE next_due_at <= clock_timestamp() OR lease_until IS NOT NULL"


def seed() -> None:
    """A thousand connected tenants whose first sync is long over; none is due."""
    with psycopg.connect(administrator_url(), autocommit=True) as server:
        server.execute("UPDATE tenants_syncstate SET next_due_at = NULL, lease_until = NULL")
        server.execute(_SEED, {"n": TENANTS})


def make_due(count: int) -> None:
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


@contextmanager
def upstream(port: int, delay: int) -> Iterator[None]:
    """The cheap cloud, in a process of its own."""
    process = Process(
        "upstream",
        ["-m", "tests.bench.upstream", str(port), str(delay)],
        env=os.environ,
        log=FOLDER / "upstream.log",
        cwd=ROOT,
    )
    try:
        time.sleep(0.7)
        process.check()
        yield
    finally:
        process.stop()


@contextmanager
def workers(app: str, names: list[str], pool: list[str], env: Mapping[str, str]) -> Iterator[list[Process]]:
    """Celery workers, ready."""
    started = [
        Process(
            name,
            ["-m", "celery", "-A", app, "--quiet", "worker", *pool, "--without-gossip", "--without-mingle",
             "--without-heartbeat", "-n", f"{name}@bench", "--loglevel", "ERROR"],
            env={**os.environ, **env}, log=FOLDER / f"{name}.log", cwd=ROOT,
        )
        for name in names
    ]  # fmt: skip
    try:
        time.sleep(4)
        for process in started:
            process.check()
        yield started
    finally:
        for process in started:
            process.stop()


def family(process: Process) -> float:
    """CPU of a worker and the processes of its pool, in milliseconds."""
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False).stdout
    return cpu_of(process.pid) + sum(cpu_of(int(child)) for child in children.split())


def run(*, rounds: int, port: int, say: Callable[[str], None]) -> tuple[list[Goal], dict[str, Any]]:
    """Idle polls and empty tasks in turns, then throughput at 200 ms."""
    seed()
    idle, empty = polls(rounds, port, say)
    fast, slow = throughput(port, say)
    goals = [
        Goal("idle poll through Celery, ms CPU per tenant (worker, producer, Redis)", idle, 1.2, at_most=True),
        Goal("idle poll, CPU to one empty Celery task", idle / empty, 1.0, at_most=True),
        Goal("tenants a minute at 200 ms, to one task per tenant", fast / slow, 20),
    ]
    figures = {"idle poll ms": round(idle, 3), "empty task ms": round(empty, 3)}
    return goals, figures | {"tenants/min at 200 ms": round(fast), "one task per tenant": round(slow)}


def polls(rounds: int, port: int, say: Callable[[str], None]) -> tuple[float, float]:
    """Medians, in ms of CPU: one idle poll, one empty task."""
    pool = ["-P", "threads", "-c", "8"]
    found: dict[str, list[float]] = {"idle": [], "empty": []}
    with upstream(port, 0), workers("tests.bench.tasks", ["idle"], pool, {}) as (worker,):
        make_due(TENANTS)
        send("incidents.sync_due", 4)
        wait_until_done(60)
        for turn in range(rounds):
            make_due(TENANTS)
            found["idle"].append(costing(worker, poll) / TENANTS)
            found["empty"].append(costing(worker, do_nothing) / EMPTY_TASKS)
            say(
                f"idle round {turn + 1} of {rounds}: {found['idle'][-1]:.2f} ms, empty task {found['empty'][-1]:.2f} ms"
            )
    return tuple(sorted(values)[len(values) // 2] for values in found.values())  # type: ignore[return-value]


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
        return family(worker) + cpu_of(redis_pid()) + 1000 * sending

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
    began = time.process_time()
    with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
        for _ in range(count):
            app.send_task(task, producer=producer, ignore_result=True)
    sending += time.process_time() - began


def drained() -> None:
    """Until the queue is empty and the last task had time to end."""
    import redis
    from django.conf import settings

    with redis.Redis.from_url(settings.REDIS_URL) as client:
        while client.llen(f"{settings.REDIS_KEY_PREFIX}portal"):
            time.sleep(0.02)
    time.sleep(0.3)


def throughput(port: int, say: Callable[[str], None]) -> tuple[float, float]:
    """Tenants a minute at 200 ms per answer with two workers: shards, and one task per tenant on two processes each."""
    with upstream(port, 200):
        many = {"SYNC_SHARD": "100", "SYNC_THREADS": "50", "MICROSOFT_POOL_SIZE": "120"}
        with workers("tests.bench.tasks", ["fast-a", "fast-b"], ["-P", "threads", "-c", "8"], many):
            make_due(TENANTS)
            send("incidents.sync_due", 8)
            wait_until_done(120)
            make_due(TENANTS)
            began = time.monotonic()
            send("incidents.sync_due", 8)
            wait_until_done(120)
            fast = 60 * TENANTS / (time.monotonic() - began)
        say(f"{fast:.0f} tenants a minute in shards")
        few = 60
        with workers("tests.bench.tasks", ["slow"], ["-P", "prefork", "-c", "2"], {}):
            make_due(few)
            send("bench.one_tenant", few)
            wait_until_done(120)
            make_due(few)
            began = time.monotonic()
            send("bench.one_tenant", few)
            wait_until_done(120)
            slow = 60 * few / (time.monotonic() - began)
        say(f"{slow:.0f} tenants a minute, one task each")
    return fast, slow
