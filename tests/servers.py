"""A pytest plugin (`-p tests.servers`) that gives a test run its own database and its own keys, whatever the servers.

Contract: a run never touches a database that it did not make, nor a key without its own prefix. Where DATABASE_URL or
REDIS_URL are not set, embedded servers are started; where they are, those servers are used and never flushed. The
login may be a superuser over TCP or an ordinary role that may create databases over a socket. What a run has made is
removed when it ends; databases of runs on this machine that were killed are removed by the next run.

Where a run has several processes (pytest-xdist), the first finds the servers and each has its own database and keys.

It is loaded as a plugin, not from a conftest, because pytest-django reads the settings before any conftest's hooks.
Tables are not made here: a conftest migrates, as the owner role.
"""

import os
import re
import socket
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import redis
from psycopg import sql

import embedded
from tests.dropped import drop_database

_OURS = re.compile(r"(?:test_)?portal_test_(\d+)")
# Other logins would lead to other databases than the one that this run makes.
_OTHER_ADDRESSES = ("DATABASE_OWNER_URL", "DATABASE_WORKER_URL")
_KEYS_AT_A_TIME = 500

_given_url = ""
_lines: list[str] = []


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(args: list[str]) -> None:
    """Before settings are read: name the setting, the database and the key prefix in the environment."""
    if {"-h", "--help", "-V", "--version"} & set(args):
        return
    os.environ["PORTAL_ENV"] = "test"
    for name in _OTHER_ADDRESSES:
        os.environ.pop(name, None)
    for name in (*_OTHER_ADDRESSES, "DATABASE_URL", "REDIS_URL"):
        os.environ.pop(f"{name}_FILE", None)
    try:
        _find_servers()
        _make_database()
        _claim_keys()
    except (embedded.EmbeddedError, psycopg.Error, redis.RedisError) as error:
        raise pytest.UsageError(f"The tests need PostgreSQL and Redis. {error}") from error


def pytest_sessionstart(session: pytest.Session) -> None:
    """Say which servers are used; a report header would be hidden by -q."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter:
        for line in _lines:
            reporter.write_line(line)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Remove this run's database and keys."""
    if not _given_url:
        return
    try:
        with psycopg.connect(_given_url, autocommit=True, connect_timeout=10) as connection:
            _drop(connection, _database_name())
            _drop(connection, f"test_{_database_name()}")
        _remove_keys()
    except (psycopg.Error, redis.RedisError) as error:
        # The tests have been reported by now; the next run tries again.
        os.write(2, f"Could not remove what this run made: {error}\n".encode())


def _find_servers() -> None:
    if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
        return
    os.environ["EMBEDDED_FSYNC"] = "off"
    addresses = embedded.ensure(embedded.default_data_dir("test"))
    if not os.environ.get("DATABASE_URL"):
        os.environ["DATABASE_URL"] = addresses.database_url
    if not os.environ.get("REDIS_URL"):
        os.environ["REDIS_URL"] = addresses.redis_url


def _database_name() -> str:
    return f"portal_test_{os.getpid()}"


def _make_database() -> None:
    """A fresh database from template0: what somebody left in template1 of a given server does not matter."""
    global _given_url
    _given_url = os.environ["DATABASE_URL"]
    name = sql.Identifier(_database_name())
    with psycopg.connect(_given_url, autocommit=True, connect_timeout=10) as connection:
        _drop_stale(connection)
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(name))
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(name, socket.gethostname()))
        version = connection.info.server_version // 10000
    parts = urlsplit(_given_url)
    os.environ["DATABASE_URL"] = urlunsplit(parts._replace(path=f"/{_database_name()}"))
    where = parts.hostname or "a socket"
    _lines.append(f"PostgreSQL {version} at {where}, database {_database_name()}")


def _drop_stale(connection: psycopg.Connection[tuple[str, str | None]]) -> None:
    """Databases of runs that were killed: made on this machine, by a process that is gone, used by nobody."""
    rows = connection.execute("SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database").fetchall()
    for name, machine in rows:
        found = _OURS.fullmatch(name)
        if not found or machine not in (None, socket.gethostname()):
            continue
        pid = int(found[1])
        if pid == os.getpid() or not _alive(pid):
            _drop(connection, name, ending_connections=False)


def _drop(
    connection: psycopg.Connection[tuple[str, str | None]], name: str, *, ending_connections: bool = True
) -> None:
    try:
        drop_database(connection, name, ending_connections=ending_connections)
    except (psycopg.errors.ObjectInUse, psycopg.errors.InsufficientPrivilege) as error:  # somebody else's
        os.write(2, f"The database {name} was not dropped: {error}\n".encode())


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _claim_keys() -> None:
    os.environ["REDIS_KEY_PREFIX"] = f"test-{os.getpid()}:"
    parts = urlsplit(os.environ["REDIS_URL"])
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.ping()
    _lines.append(f"Redis at {parts.hostname or 'a socket'}, keys {os.environ['REDIS_KEY_PREFIX']}*")
    _remove_keys()


def _remove_keys() -> None:
    """Only this run's keys: a given server may be in use for something else, so FLUSHDB is out of the question."""
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        keys = list(client.scan_iter(match=f"{os.environ['REDIS_KEY_PREFIX']}*", count=_KEYS_AT_A_TIME))
        for start in range(0, len(keys), _KEYS_AT_A_TIME):
            client.unlink(*keys[start : start + _KEYS_AT_A_TIME])
