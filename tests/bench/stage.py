"""Where the benchmark runs: embedded servers of its own, an empty database, this process as a worker."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg

import embedded
from embedded.places import places
from tests.dropped import drop_database
from tests.repository.tree import ROOT

FOLDER = ROOT / ".local" / "bench"


def administrator_url(database: str = "portal") -> str:
    """The cluster's own administrator, past row-level security."""
    return places(FOLDER / "servers").url(user="postgres", database=database)


def prepare(upstream: str) -> dict[str, str]:
    """Servers, database, tables; this process's environment and Django become a worker's. Returns that environment."""
    addresses = embedded.ensure(FOLDER / "servers")
    with psycopg.connect(administrator_url("postgres"), autocommit=True) as server:
        drop_database(server, "portal")
        server.execute("CREATE DATABASE portal OWNER portal")
    env = {
        "PORTAL_ENV": "local",
        "PORTAL_PROCESS": "worker",
        "PORTAL_LOCAL_DIR": str(FOLDER),
        "DATABASE_URL": addresses.database_url,
        "REDIS_URL": addresses.redis_url,
        "MICROSOFT_CLOUD": "sandbox",
        "LOG_LEVEL": "ERROR",
        "SYNC_POLL_SECONDS": "3600",
        "SYNC_WAKE_SECONDS": "600",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    env |= {f"SANDBOX_{name}_URL": upstream for name in ("LOGIN", "XDR", "MDE", "GRAPH")}
    os.environ.update(env)
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, env=os.environ | {"PORTAL_PROCESS": "owner"}, cwd=ROOT, check=True, timeout=120)
    import django

    django.setup()
    return dict(os.environ)


def release() -> None:
    """Let the servers go."""
    embedded.release(FOLDER / "servers")


def postgres_pid() -> int:
    """The embedded PostgreSQL's first process, which starts the others."""
    return int((places(FOLDER / "servers").postgres / "postmaster.pid").read_text().split()[0])


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout
    return [int(child) for child in found.split()]


def redis_pid() -> int:
    """The embedded Valkey's process."""
    return int(Path(places(FOLDER / "servers").valkey_pid).read_text())
