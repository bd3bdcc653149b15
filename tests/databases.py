"""A database whose transactions are really committed, for tests of what happens on several connections at once.

The audit log refuses to be emptied, so such a test gets a copy of the migrated database and throws it away.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from django.db import connection, connections
from psycopg import sql

from portal.database_roles import connection_arguments
from tests.conftest import database_role
from tests.dropped import drop_database

R = TypeVar("R")


@contextmanager
def copied_database(of: str = "") -> Iterator[None]:
    """Django works on a copy of the test database (or of another) while this is open. No transaction may be open."""
    settings = connections.settings["default"]
    original = settings["NAME"]
    copy = f"test_{original}"  # the name that the run's own cleaning up knows
    connections.close_all()
    with _administrator() as administrator:
        drop_database(administrator, copy)
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        administrator.execute(create.format(sql.Identifier(copy), sql.Identifier(of or original)))
    settings["NAME"] = copy
    try:
        yield
    finally:
        connections.close_all()
        settings["NAME"] = original
        with _administrator() as administrator:
            drop_database(administrator, copy)


def in_threads(work: Callable[[int], R], n: int, *, role: str) -> list[R]:
    """``work(0)`` to ``work(n - 1)`` at once, each on a connection of its own as one of the database roles."""

    def on_own_connection(number: int) -> R:
        try:
            with database_role(role):
                return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(on_own_connection, range(n), timeout=60))


def _administrator() -> psycopg.Connection[Any]:
    """On the server's own database: one that is copied may have no connection."""
    arguments = {**connection_arguments(connections.settings["default"]), "dbname": "postgres"}
    return psycopg.connect(**arguments, autocommit=True)
