"""Where reads are measured: an embedded server of its own, and a database per size that is kept for the next run."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import psycopg
from psycopg import sql

import embedded
from embedded.places import places
from tests import rollups
from tests.bench.reads import data
from tests.bench.reads.data import Size
from tests.dropped import drop_database
from tests.repository.tree import ROOT

FOLDER = ROOT / ".local" / "bench-reads"
SERVERS = FOLDER / "servers"
SHARED_BUFFERS = "1GB"
# Stated with the figures. All but these, and what embedded/postgres.py says, is PostgreSQL's own default.
SETTINGS = {
    "work_mem": "16MB",
    "maintenance_work_mem": "512MB",
    "effective_cache_size": "6GB",
    "random_page_cost": "1.1",
    "max_wal_size": "8GB",
    "wal_compression": "on",
}
Say = Callable[[str], None]


class NoRoom(Exception):
    """The disk has less left than the data would take."""


def administrator_url(database: str) -> str:
    """The cluster's own administrator, past row-level security."""
    return places(SERVERS).url(user="postgres", database=database)


def prepare(size: Size, *, say: Say) -> None:
    """Servers, the size's database with its data and up-to-date tables; this process becomes the web's, with Django."""
    os.environ["EMBEDDED_SHARED_BUFFERS"] = SHARED_BUFFERS
    addresses = embedded.ensure(SERVERS)
    name = f"reads_{size.name.lower()}"
    with psycopg.connect(administrator_url("postgres"), autocommit=True) as server:
        _tune(server)
        is_made = _is_made(server, name)
        if not is_made:
            _room_for(server, size)
            drop_database(server, name)
            server.execute(sql.SQL("CREATE DATABASE {} OWNER portal").format(sql.Identifier(name)))
    _become_web(addresses, name)
    with psycopg.connect(administrator_url(name), autocommit=True) as server:
        if not is_made:
            _make(server, size, say)
            server.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), fingerprint()))
        _refresh(server)


def release() -> None:
    """Let the servers go; what they hold stays."""
    embedded.release(SERVERS)


def fingerprint() -> str:
    """Of the statements that make the data: other statements, other data."""
    return blake2b(data.statements().encode(), digest_size=8).hexdigest()


def settings_in_force(server: "psycopg.Connection[Any]") -> dict[str, str]:
    """What is stated with the figures."""
    names = ["server_version", "shared_buffers", "jit", *SETTINGS]
    rows = server.execute("SELECT name, current_setting(name) FROM pg_settings WHERE name = ANY(%s)", [names])
    return dict(rows.fetchall())


def _tune(server: "psycopg.Connection[Any]") -> None:
    for name, value in SETTINGS.items():
        server.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), value))
    server.execute("SELECT pg_reload_conf()")


def _is_made(server: "psycopg.Connection[Any]", name: str) -> bool:
    row = server.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [name]
    ).fetchone()
    return row is not None and row[0] == fingerprint()


def _room_for(server: "psycopg.Connection[Any]", size: Size) -> None:
    free = shutil.disk_usage(places(SERVERS).postgres).free
    if free < size.disk:
        raise NoRoom(
            f"{size.name} incidents need {size.disk / 1e9:.0f} GB and {free / 1e9:.0f} GB are free. Take a smaller "
            "SIZE, or remove data of earlier runs with: rm -rf .local/bench-reads"
        )


def _become_web(addresses: embedded.Addresses, name: str) -> None:
    env = {
        "PORTAL_ENV": "local",
        "PORTAL_PROCESS": "web",
        "PORTAL_LOCAL_DIR": str(FOLDER),
        "DATABASE_URL": addresses.database_url.replace("/portal?", f"/{name}?"),
        "REDIS_URL": addresses.redis_url,
        "MICROSOFT_CLOUD": "sandbox",
        "LOG_LEVEL": "ERROR",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    os.environ.update(env)
    # A database of an earlier run gets the migrations that came since, as an installation would.
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, env=os.environ | {"PORTAL_PROCESS": "owner"}, cwd=ROOT, check=True, timeout=900)
    import django

    django.setup()


def _make(server: "psycopg.Connection[Any]", size: Size, say: Say) -> None:
    """Foreign keys and triggers are off while this is loaded, and indexes are built afterwards."""
    parameters = {"incidents": size.incidents, "alerts": size.alerts, "evidence": size.evidence}
    server.execute("SET session_replication_role = replica; SET synchronous_commit = off")
    _run(server, data.FUNCTIONS, {})
    indexes = _drop_indexes(server)
    for what, statement in data.STEPS:
        _timed(server, what, statement, parameters, say)
    _people(server)
    for index in indexes:
        _timed(server, index.split(" ON ")[0].lower(), index, {}, say)
    _timed(server, "a second copy", data.PLAIN, {}, say)
    for table in data.SEQUENCES:
        server.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")  # noqa: S608
    _timed(server, "statistics", "VACUUM (ANALYZE)", {}, say)
    server.execute("SET session_replication_role = origin; CHECKPOINT")


def _people(server: "psycopg.Connection[Any]") -> None:
    for count, people in data.READERS.items():
        for r in range(people):
            name = f"reader-{count}-{r}"
            _run(server, data.PERSON, {"name": name, "r": 100 * count + r, "count": count})


def _drop_indexes(server: "psycopg.Connection[Any]") -> list[str]:
    """Drop those of the big tables that stand behind no constraint; returns the statements that make them again."""
    rows = server.execute(
        "SELECT c.oid::regclass::text, pg_get_indexdef(c.oid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " WHERE i.indrelid::regclass::text = ANY(%s)"
        " AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid)",
        [list(data.LOADED)],
    ).fetchall()
    for name, _ in rows:
        server.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    return [statement for _, statement in rows]


def _refresh(server: "psycopg.Connection[Any]") -> None:
    """Forget what the last run added, and let the tenants have been read just now: one in fifty an hour ago."""
    server.execute("DELETE FROM django_session; DELETE FROM accounts_visit")
    server.execute(
        "WITH gone AS (DELETE FROM incidents_incident WHERE tenant_id = %s AND number < %s RETURNING 1)"
        " SELECT count(*) FROM gone",
        [data.TENANTS, data.FIRST_NUMBER],
    )
    server.execute("DELETE FROM incidents_rollup WHERE tenant_id = %s", [data.TENANTS])
    server.execute(rollups.fill("tenant_id = %(tenant)s"), {"tenant": data.TENANTS})
    server.execute(
        "UPDATE tenants_syncstate SET last_ok_at = now() - CASE WHEN tenant_id % 50 = 7 THEN interval '1 hour'"
        " ELSE tenant_id % 60 * interval '1 second' END"
    )
    server.execute("VACUUM (ANALYZE) tenants_syncstate, incidents_rollup, incidents_incident")


def _timed(server: "psycopg.Connection[Any]", what: str, statement: str, parameters: dict[str, Any], say: Say) -> None:
    began = time.monotonic()
    _run(server, statement, parameters)
    say(f"{what}: {time.monotonic() - began:.0f} s")


def _run(server: "psycopg.Connection[Any]", statement: str, parameters: dict[str, Any]) -> None:
    """Bound on the client's side, since several statements may stand in one text."""
    with psycopg.ClientCursor(server) as cursor:
        cursor.execute(statement.encode(), parameters)
