"""Addresses are known without starting anything, and every reader of a URL understands them."""

import os
import subprocess
import sys
from pathlib import Path

import environ
import psycopg
import pytest
import redis

from embedded import addresses, default_data_dir
from embedded.places import LONGEST_SOCKET_PATH, places
from tests.embedded.conftest import ROOT, Holders

AWKWARD = 'it\'s a, "dir" at 100% + ü'


def test_addresses_are_the_same_each_time_and_make_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    assert addresses(data_dir) == addresses(data_dir)
    assert addresses(data_dir) != addresses(tmp_path / "other")
    assert not data_dir.exists()
    assert not places(data_dir).short.exists()


def test_a_relative_folder_and_its_absolute_name_are_one_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert addresses(Path("data")) == addresses(tmp_path / "data")


def test_a_socket_path_that_is_too_long_moves_below_tmp() -> None:
    for length in range(40, 140):
        found = places(Path("/") / ("x" * length))
        socket = found.sockets / ".s.PGSQL.5432"
        assert len(os.fsencode(socket)) <= LONGEST_SOCKET_PATH
        assert found.postgres == Path("/") / ("x" * length) / "postgres"


def test_the_local_folder_may_be_named_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORTAL_LOCAL_DIR", raising=False)
    assert default_data_dir() == ROOT / ".local" / "servers"
    monkeypatch.setenv("PORTAL_LOCAL_DIR", "/somewhere")
    assert default_data_dir("test") == Path("/somewhere/test")


@pytest.mark.parametrize("name", ["data", AWKWARD, "long " * 30])
def test_every_reader_understands_the_addresses(
    tmp_path: Path, holders: Holders, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    holders.data_dir = tmp_path / name
    where = addresses(holders.data_dir)
    holders.hold()
    monkeypatch.setenv("PGPORT", "6543")  # A stranger's setting must not lead libpq astray.
    read = environ.Env.db_url_config(where.database_url)
    assert (read["ENGINE"], read["NAME"], read["USER"]) == ("django.db.backends.postgresql", "portal", "portal")
    with psycopg.connect(dbname=read["NAME"], user=read["USER"], **read["OPTIONS"]) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("portal",)
    with psycopg.connect(where.database_url) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    with redis.Redis.from_url(where.redis_url, decode_responses=True) as client:
        assert client.config_get("port") == {"port": "0"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_the_login_role_is_no_superuser_and_owns_its_database(holders: Holders, data_dir: Path) -> None:
    holders.hold()
    with psycopg.connect(addresses(data_dir).database_url) as connection:
        role = connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        database = connection.execute(
            "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate FROM pg_database"
            " WHERE datname = current_database()"
        ).fetchone()
    assert role == (False, False, True, True)
    assert database == ("portal", "UTF8", "C.UTF-8")


def test_the_package_knows_no_django() -> None:
    script = "import sys, embedded, embedded.__main__; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=60, check=False).returncode == 0
