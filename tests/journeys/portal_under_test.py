"""A whole portal for journeys: the demo's own processes, on a database and a key prefix made for it."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import requests
from psycopg import sql

from demo.ports import free_port
from demo.stack import Stack
from tests.dropped import drop_database

SETTINGS = {
    "PORTAL_ENV": "local",
    "SYNC_POLL_SECONDS": "3",
    "SYNC_WAKE_SECONDS": "0.5",
    "CONSENT_CHECK_MINUTES": "0.5",
    "TRIAGE_UNDO_SECONDS": "4",
    "LOG_FORMAT": "json",
}


def own_database(url: str, name: str) -> str:
    """The same server, another database."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


@contextmanager
def database(name: str) -> Iterator[str]:
    """An empty database on the server that the tests use; dropped in the end."""
    given = os.environ["DATABASE_URL"]
    with psycopg.connect(given, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield own_database(given, name)
    finally:
        with psycopg.connect(given, autocommit=True) as connection:
            drop_database(connection, name)


@contextmanager
def running_portal(directory: Path, *, pace: str = "0", name: str = "journey", **settings: str) -> Iterator[Stack]:
    """Sandbox, web, worker and beat, seeded with the cast; everything stops at the end."""
    with database(f"portal_test_{os.getpid()}_{name}") as url:
        env = SETTINGS | {
            "DATABASE_URL": url,
            "REDIS_URL": os.environ["REDIS_URL"],
            "REDIS_KEY_PREFIX": f"{name}-{os.getpid()}:",
            "PORTAL_LOCAL_DIR": str(directory),
        }
        web, sandbox = free_port(18000 + own_ports()), free_port(19400 + own_ports())
        stack = Stack(web, sandbox, directory / "logs", env | settings, workers=6)
        try:
            stack.command("migrate", "--verbosity", "0", process="owner")
            stack.start_sandbox("--pace", pace)
            stack.command("seed_demo")
            stack.start_portal()
            yield stack
        finally:
            stack.stop()
            forget_keys(env["REDIS_KEY_PREFIX"])


def own_ports() -> int:
    """Processes of one test run look for free ports in different places: two may look at the same moment."""
    return 60 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])


def forget_keys(prefix: str) -> None:
    """Remove this run's keys and no others."""
    import redis

    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    for key in client.scan_iter(match=f"{prefix}*", count=500):
        client.delete(key)
    client.close()


def eventually(question: Callable[[], Any], *, seconds: float = 60.0, every: float = 0.3) -> Any:
    """The first true answer to ``question``; fails with the last answer after ``seconds``."""
    until = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > until:
            raise AssertionError(f"Not within {seconds} s: {question}, last answer {answer!r}")
        time.sleep(every)


class Sandbox:
    """The sandbox's control API."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/_sandbox"

    def get(self, path: str) -> Any:
        """A JSON answer."""
        answer = requests.get(f"{self.url}/{path}", timeout=20)
        answer.raise_for_status()
        return answer.json()

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Do something; the JSON answer."""
        answer = requests.post(f"{self.url}/{path}", json=body or {}, timeout=20)
        answer.raise_for_status()
        return answer.json()

    def tenants(self) -> list[dict[str, Any]]:
        """Every tenant with its state and faults."""
        answer = self.get("tenants")
        rows: list[dict[str, Any]] = answer["tenants"] if isinstance(answer, dict) else answer
        return rows
