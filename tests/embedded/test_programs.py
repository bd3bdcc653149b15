"""What is found to run, what is said when it is not there, and what people can ask."""

import shutil
from pathlib import Path

import psycopg
import pytest
import redis

import embedded
from embedded import EmbeddedError, addresses
from embedded.places import places
from tests.embedded.conftest import Holders, command, pid_of, processes, said, until

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("1[5-9]/bin"))
REDIS = shutil.which("redis-server") or shutil.which("valkey-server")


@pytest.mark.skipif(not DEBIAN or not REDIS, reason="the system has no PostgreSQL and Redis of its own")
def test_the_systems_own_servers_do_as_well(holders: Holders, data_dir: Path) -> None:
    holders.hold(settings={"EMBEDDED_POSTGRES_BIN": str(DEBIAN[0]), "EMBEDDED_REDIS_SERVER": str(REDIS)})
    with psycopg.connect(addresses(data_dir).database_url) as connection:
        assert connection.info.server_version // 10000 == int(DEBIAN[0].parent.name)
    with redis.Redis.from_url(addresses(data_dir).redis_url) as client:
        assert client.ping()


@pytest.mark.parametrize("variable", ["EMBEDDED_POSTGRES_BIN", "EMBEDDED_REDIS_SERVER"])
def test_a_setting_that_leads_nowhere_is_named(holders: Holders, variable: str) -> None:
    assert variable in said(holders.start(settings={variable: "/nowhere"}))


def test_nothing_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("embedded.programs._DEBIAN", tmp_path)
    monkeypatch.setattr("embedded.programs._package", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmbeddedError, match="apt-get install postgresql"):
        embedded.programs.postgres_bin()
    with pytest.raises(EmbeddedError, match="apt-get install redis-server"):
        embedded.programs.redis_server()


def test_data_of_another_major_version_is_never_touched(tmp_path: Path) -> None:
    version = tmp_path / "postgres" / "PG_VERSION"
    version.parent.mkdir()
    version.write_text("14\n")
    with pytest.raises(EmbeddedError, match=r"made by PostgreSQL 14, but .* is of \d+\. .*EMBEDDED_POSTGRES_BIN"):
        embedded.ensure(tmp_path)
    assert version.read_text() == "14\n"


def test_a_cluster_that_was_never_finished_is_made_anew(holders: Holders, data_dir: Path) -> None:
    unfinished = data_dir / "postgres.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("half")
    holders.hold()
    assert not unfinished.exists()


def test_servers_that_cannot_start_say_why(holders: Holders, data_dir: Path) -> None:
    holders.hold()
    command("--stop", "--data-dir", str(data_dir))
    (data_dir / "postgres" / "postgresql.conf").write_text("no_such_setting = 1\n")
    assert "no_such_setting" in said(holders.start())


def test_a_pid_file_that_names_a_stranger_is_no_obstacle(holders: Holders, data_dir: Path) -> None:
    stranger = holders.hold()
    command("--stop", "--data-dir", str(data_dir))
    left = data_dir / "postgres" / "postmaster.pid"
    left.write_text(f"{stranger.pid}\n{data_dir}/postgres\n0\n5432\n\n\n\n")
    holders.hold()
    assert stranger.poll() is None


def test_release_stops_the_servers_at_once_when_nobody_else_holds_them(holders: Holders, data_dir: Path) -> None:
    script = (
        "import sys, pathlib, embedded\n"
        "data_dir = pathlib.Path(sys.argv[1])\n"
        "embedded.ensure(data_dir)\n"
        "print('gone' if embedded.release(data_dir) else 'still used', flush=True)\n"
        "sys.stdin.read()\n"
    )
    assert said(holders.start_script(script, settings={"EMBEDDED_GRACE_SECONDS": "60"})) == "gone"
    assert not [line for line in processes(data_dir).values() if "-m embedded" in line or "postgres" in line]
    holders.hold()
    assert said(holders.start_script(script)) == "still used"
    assert pid_of(data_dir, "embedded")


def test_people_can_ask_and_stop(holders: Holders, data_dir: Path) -> None:
    words = ("--data-dir", str(data_dir))
    asked = command("--status", *words)
    assert asked.returncode == 3
    assert "supervisor: not running" in asked.stdout
    holders.hold()
    asked = command("--status", *words)
    assert asked.returncode == 0
    assert asked.stdout.count(": answers at") == 2
    assert addresses(data_dir).database_url in asked.stdout
    assert command("--stop", *words).stdout.strip() == f"The servers in {data_dir} are stopped."
    assert until(lambda: not processes(data_dir))
    assert "No servers are running" in command("--stop", *words).stdout
    assert not places(data_dir).valkey_socket.exists()
