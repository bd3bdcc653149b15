"""The plugin that every test run stands on, tried by a small run of its own on this run's servers."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg import sql

from tests.embedded.conftest import ROOT

INNER = """
import os, psycopg, redis

def test_inside():
    assert os.environ["PORTAL_ENV"] == "test"
    assert "DATABASE_OWNER_URL" not in os.environ
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        name = connection.execute("SELECT current_database()").fetchone()[0]
        connection.execute("CREATE TABLE proof (word text)")
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.set(os.environ["REDIS_KEY_PREFIX"] + "proof", 1)
        client.set(os.environ["STRANGERS_KEY"], 1, ex=60)
    print("INSIDE", name, os.environ["REDIS_KEY_PREFIX"])
"""
PID_OF_NOBODY = 4_000_001  # Above Linux's largest possible pid, PID_MAX_LIMIT.


def strangers_key() -> str:
    """A key that is not the inner run's, but the outer run's."""
    return os.environ["REDIS_KEY_PREFIX"] + "not of the inner run"


def run_inner(folder: Path) -> str:
    (folder / "test_inner.py").write_text(INNER)
    words = ["-c", os.devnull, "--rootdir", str(folder), "-p", "no:django", "-p", "no:cacheprovider", "-q", "-s"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "-p", "tests.servers", str(folder)],
        cwd=ROOT, env=os.environ | {"DATABASE_OWNER_URL": "postgres://elsewhere/x", "STRANGERS_KEY": strangers_key()},
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def databases() -> set[str]:
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        return {row[0] for row in connection.execute("SELECT datname FROM pg_database")}


def make_database(name: str, *, machine: str) -> None:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), machine))


@pytest.mark.short
def test_a_run_leaves_the_server_as_it_was(tmp_path: Path) -> None:
    said = run_inner(tmp_path)
    name, prefix = said.split("INSIDE ")[1].split()[:2]
    assert f"database {name}" in said
    assert name.startswith("portal_test_")
    assert name not in databases()
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        assert not list(client.scan_iter(match=f"{prefix}*"))
        assert client.delete(strangers_key()) == 1


@pytest.mark.short
def test_only_what_a_killed_run_of_this_machine_left_behind_is_removed(tmp_path: Path) -> None:
    mine, other_machines = f"portal_test_{PID_OF_NOBODY}", f"portal_test_{PID_OF_NOBODY + 1}"
    make_database(mine, machine=socket.gethostname())
    make_database(other_machines, machine="another-machine")
    try:
        run_inner(tmp_path)
        assert mine not in databases()
        assert other_machines in databases()
    finally:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            for name in (mine, other_machines):
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
