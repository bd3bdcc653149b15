"""Everything a soak runs on, made for it and ended by it: servers of its own, the stand-in cloud, workers, beats."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import redis
import requests

import embedded
from demo.ports import free_port
from demo.processes import Process, Waiter, wait_until
from embedded.places import Addresses, places
from tests.dropped import drop_database
from tests.repository.tree import ROOT

# Every wait is a setting; here all of them are small, so that minutes show what otherwise takes days.
SCALED = {
    "SYNC_POLL_SECONDS": "15",
    "SYNC_OVERLAP_MINUTES": "0.1",
    "SYNC_LEASE_SECONDS": "5",
    "SYNC_WAKE_SECONDS": "1",
    "SYNC_SWEEP_HOURS": "24",  # no sweep heals anything before the first look
    # Open incidents before the window are read one by one, in minutes by Microsoft's limits: only few lie there.
    "SYNC_SWEEP_WINDOW_DAYS": "150",
    "SYNC_FIRST_WAIT_SECONDS": "1",
    "SYNC_LONGEST_WAIT_SECONDS": "10",
    "SYNC_QUICK_LIMIT_SECONDS": "5",
    "SYNC_PASS_LIMIT_SECONDS": "20",
    "CREDENTIAL_WAIT_SECONDS": "2",
    "CONSENT_CHECK_MINUTES": "60",
    "LOG_FORMAT": "json",
    "LOG_LEVEL": "WARNING",
    "PORTAL_ENV": "local",
}
ACTIVE_THREADS = "12"


@dataclass
class Stage:
    """What runs. ``app`` is the Celery app that workers load."""

    folder: Path
    servers: Addresses
    sandbox_port: int
    env: dict[str, str]
    app: str = "portal.celery"
    processes: dict[str, Process] = field(default_factory=dict)

    @property
    def sandbox(self) -> str:
        """Where the stand-in answers."""
        return f"http://127.0.0.1:{self.sandbox_port}"

    def control(self, path: str, body: Mapping[str, Any] | None = None, *, method: str = "POST") -> Any:
        """One call of the stand-in's control API; its JSON."""
        answer = requests.request(method, f"{self.sandbox}/_sandbox/{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def database(self) -> "psycopg.Connection[Any]":
        """As the cluster's own administrator, past row-level security: the soak looks at everything."""
        url = places(self.folder / "servers").url(user="postgres", database="portal")
        return psycopg.connect(url, autocommit=True, application_name="soak", connect_timeout=10)

    def start(self, name: str, *arguments: str) -> None:
        """A process of this name, in place of the one that had it."""
        self.processes[name] = Process(
            name, list(arguments), env=self.env, log=self.folder / f"{name}-{time.monotonic_ns()}.log", cwd=ROOT
        )

    def start_worker(self, name: str) -> None:
        """A Celery worker as operations run it."""
        pool = ["-P", "threads", "-c", ACTIVE_THREADS, "--without-gossip", "--without-mingle", "-n", f"{name}@soak"]
        self.start(name, "-m", "celery", "-A", self.app, "--quiet", "worker", *pool, "--loglevel", "WARNING")

    def kill(self, name: str) -> None:
        """kill -9, as the kernel does it when memory is short. A stopped process dies too."""
        os.kill(self._python_of(name), signal.SIGKILL)
        self.processes[name].stop()

    def signal(self, name: str, number: int) -> None:
        """Send a signal to one of ours."""
        os.kill(self._python_of(name), number)

    def _python_of(self, name: str) -> int:
        return self.processes[name].pid

    def rss(self, name: str) -> float:
        """MiB of memory."""
        pages = int(Path(f"/proc/{self._python_of(name)}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def restart_database(self) -> None:
        """An immediate shutdown: no checkpoint, connections are cut. The supervisor starts it again."""
        pid_file = places(self.folder / "servers").postgres / "postmaster.pid"
        os.kill(int(pid_file.read_text().split("\n", 1)[0]), signal.SIGQUIT)

    def flush_broker(self) -> None:
        """Everything in Redis is gone."""
        with redis.Redis.from_url(self.servers.redis_url) as client:
            client.flushall()

    def stop(self) -> None:
        """End what was started, the last first."""
        for name in reversed(list(self.processes)):
            process = self.processes.pop(name)
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT)
            process.stop()


@contextmanager
def staged(folder: Path, *, seed: int, tenants: int, bug: str = "") -> Iterator[Stage]:
    """Servers, migrated database, cloud with connected tenants. Everything ends with the block; logs stay."""
    with _alone(folder):
        yield from _staged(folder, seed=seed, tenants=tenants, bug=bug)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two soaks at once in one checkout would take each other's database away."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("Another soak runs in this checkout.") from None
        yield


def _staged(folder: Path, *, seed: int, tenants: int, bug: str) -> Iterator[Stage]:
    for log in folder.glob("*.log"):
        log.unlink()
    os.environ["EMBEDDED_FSYNC"] = "off"
    port = free_port(19500)
    servers = embedded.ensure(folder / "servers")
    direct = {f"SANDBOX_{name}_URL": f"http://127.0.0.1:{port}" for name in ("LOGIN", "XDR", "MDE", "GRAPH")}
    env = {**os.environ, **SCALED, **direct, "DATABASE_URL": servers.database_url, "REDIS_URL": servers.redis_url}
    env |= {"MICROSOFT_CLOUD": "sandbox", "PORTAL_LOCAL_DIR": str(folder), "SOAK_BUG": bug, "PORTAL_PROCESS": "worker"}
    stage = Stage(folder, servers, port, env, "tests.soak.broken_worker" if bug else "portal.celery")
    try:
        _migrate(stage)
        is_ascending = bug == "oldest-first"  # shows while several pages are read
        big = tenants // 4 if is_ascending else max(4, tenants // 50)
        extra = ["--ascending"] if is_ascending else []
        bounds = ["--incidents", "5-35", "--big", str(big), "--connected", *extra]
        stage.start(
            "sandbox", "-m", "sandbox", "--port", str(port), "--seed", str(seed), "--tenants", str(tenants),
            "--pace", "0", *bounds,
        )  # fmt: skip
        if not wait_until(
            Waiter(f"{stage.sandbox}/_sandbox/health"), seconds=90, watching=[stage.processes["sandbox"]]
        ):
            raise TimeoutError("The stand-in cloud does not answer.")
        yield stage
    finally:
        stage.stop()
        embedded.release(folder / "servers")


def _migrate(stage: Stage) -> None:
    """An empty database with roles and tables, in place of what an earlier soak left."""
    url = places(stage.folder / "servers").url(user="postgres", database="postgres")
    with psycopg.connect(url, autocommit=True) as server:
        drop_database(server, "portal")
        server.execute("CREATE DATABASE portal OWNER portal")
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, env=stage.env | {"PORTAL_PROCESS": "owner"}, cwd=ROOT, check=True, timeout=120)
