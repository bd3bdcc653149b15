"""Dropping a database that a run of tests has made."""

from typing import Any

import psycopg
from psycopg import sql


def drop_database(connection: psycopg.Connection[Any], name: str, *, ending_connections: bool = True) -> None:
    """Drop a database if it is there, and end the connections that it still has (else: ObjectInUse). Needs autocommit.

    Not WITH (FORCE): that is refused (InsufficientPrivilege) while PostgreSQL vacuums in the database, unless
    a superuser asks. Where it is only asked, PostgreSQL ends its vacuuming itself.
    """
    if ending_connections:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = %s AND backend_type = 'client backend' AND pid <> pg_backend_pid()",
            [name],
        )
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
