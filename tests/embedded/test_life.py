"""The servers live exactly as long as somebody holds them, whatever is killed on the way."""

import os
import signal
import time
from pathlib import Path

import psycopg
import pytest
import redis

from embedded import addresses
from tests.embedded.conftest import (
    GRACE_SECONDS,
    Holders,
    ask_again,
    command,
    kill,
    let_go,
    pid_of,
    processes,
    said,
    until,
)


def answer(data_dir: Path) -> bool:
    """True if both servers answer at their addresses."""
    where = addresses(data_dir)
    try:
        with psycopg.connect(where.database_url, connect_timeout=5) as connection:
            connection.execute("SELECT 1")
        with redis.Redis.from_url(where.redis_url) as client:
            return bool(client.ping())
    except (psycopg.OperationalError, redis.RedisError):
        return False


def write_something(data_dir: Path) -> None:
    where = addresses(data_dir)
    with psycopg.connect(where.database_url) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('row')")
    with redis.Redis.from_url(where.redis_url) as client:
        client.set("kept", "key")


def what_was_written(data_dir: Path) -> tuple[str, str]:
    where = addresses(data_dir)
    with psycopg.connect(where.database_url) as connection:
        row = connection.execute("SELECT word FROM kept").fetchone()
    with redis.Redis.from_url(where.redis_url, decode_responses=True) as client:
        return (row[0] if row else ""), str(client.get("kept"))


def test_the_servers_answer_once_a_process_holds_them(holders: Holders, data_dir: Path) -> None:
    assert not answer(data_dir)
    holders.hold()
    assert answer(data_dir)


def test_the_first_to_leave_takes_nothing_down_and_the_last_takes_everything(holders: Holders, data_dir: Path) -> None:
    first, last = holders.hold(), holders.hold()
    supervisor = pid_of(data_dir, "embedded")
    let_go(first)
    until(lambda: False, seconds=3 * GRACE_SECONDS)
    assert answer(data_dir)
    assert pid_of(data_dir, "embedded") == supervisor
    let_go(last)
    assert until(lambda: not processes(data_dir))
    assert not answer(data_dir)


def test_a_killed_holder_is_a_gone_holder(holders: Holders, data_dir: Path) -> None:
    holder = holders.hold()
    holder.kill()
    let_go(holder)
    assert until(lambda: not processes(data_dir))


def test_many_that_start_at_once_share_one_supervisor(holders: Holders, data_dir: Path) -> None:
    together = [holders.start() for _ in range(5)]
    assert [said(holder) for holder in together] == ["up"] * 5
    assert answer(data_dir)
    pid_of(data_dir, "embedded")


@pytest.mark.parametrize("delay", [0.1, 0.25, 0.35, 0.5])
def test_a_newcomer_never_gets_servers_that_are_going_down(holders: Holders, data_dir: Path, delay: float) -> None:
    let_go(holders.hold())
    began = time.monotonic()
    until(lambda: time.monotonic() - began > GRACE_SECONDS - 0.2 + delay)
    newcomer = holders.hold()
    until(lambda: not answer(data_dir), seconds=GRACE_SECONDS)
    assert answer(data_dir)
    let_go(newcomer)
    assert until(lambda: not processes(data_dir))


def test_a_killed_supervisor_leaves_no_orphans_and_is_replaced(holders: Holders, data_dir: Path) -> None:
    holder = holders.hold()
    write_something(data_dir)
    before = processes(data_dir)
    kill(data_dir, pid_of(data_dir, "embedded"))
    assert ask_again(holder) == "up again"
    assert what_was_written(data_dir) == ("row", "key")
    assert not set(before) & set(processes(data_dir))


def test_orphans_go_by_themselves_when_nobody_starts_anew(holders: Holders, data_dir: Path) -> None:
    holders.hold()
    kill(data_dir, pid_of(data_dir, "embedded"))
    assert until(lambda: not processes(data_dir))


def test_everything_killed_at_once_starts_again_with_its_data(holders: Holders, data_dir: Path) -> None:
    holder = holders.hold()
    write_something(data_dir)
    kill(data_dir, *processes(data_dir))
    assert ask_again(holder) == "up again"
    assert what_was_written(data_dir) == ("row", "key")


@pytest.mark.parametrize("server", ["postgres", "valkey-server"])
def test_a_crashed_server_is_started_again_and_the_log_says_so(holders: Holders, data_dir: Path, server: str) -> None:
    holder = holders.hold()
    write_something(data_dir)
    supervisor, crashed = pid_of(data_dir, "embedded"), pid_of(data_dir, server)
    kill(data_dir, crashed)
    assert until(lambda: answer(data_dir))
    assert ask_again(holder) == "up again"
    assert what_was_written(data_dir) == ("row", "key")
    assert pid_of(data_dir, "embedded") == supervisor
    assert "restart 1 of" in (data_dir / "supervisor.log").read_text()


def test_a_server_that_keeps_crashing_is_given_up_but_may_be_asked_for_again(holders: Holders, data_dir: Path) -> None:
    holder = holders.hold()
    supervisor = pid_of(data_dir, "embedded")
    deadline = time.monotonic() + 60
    while supervisor in processes(data_dir) and time.monotonic() < deadline:
        for pid, line in processes(data_dir).items():
            if "valkey-server" in line.split(" -")[0]:
                os.kill(pid, signal.SIGKILL)
        until(lambda: False, seconds=0.1)
    assert "giving up" in (data_dir / "supervisor.log").read_text()
    assert until(lambda: not processes(data_dir))
    assert ask_again(holder) == "up again"


def test_a_second_supervisor_leaves_without_a_word(holders: Holders, data_dir: Path) -> None:
    holders.hold()
    before = pid_of(data_dir, "embedded")
    second = command("--data-dir", str(data_dir))
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert pid_of(data_dir, "embedded") == before


def test_a_forked_child_goes_on_holding_after_its_parent(holders: Holders, data_dir: Path) -> None:
    script = (
        "import os, sys, pathlib, embedded\n"
        "embedded.ensure(pathlib.Path(sys.argv[1]))\n"
        "ready, go = os.pipe(), os.pipe()\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    os.close(1); os.close(2); sys.stdin.read(); os._exit(0)\n"
        "print('up', flush=True)\n"
        "os._exit(0)\n"
    )
    parent = holders.start_script(script)
    assert said(parent) == "up"
    parent.wait(timeout=30)
    until(lambda: not answer(data_dir), seconds=4 * GRACE_SECONDS)
    assert answer(data_dir)
    let_go(parent)
    assert until(lambda: not processes(data_dir))
