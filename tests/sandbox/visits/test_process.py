"""The process: it starts on loopback only, says why it does not start, and ends when it is told to."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from sandbox.server import running
from tests.sandbox.visits.visitor import small_world

ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "sandbox", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def answers(url: str, within: float = 20.0) -> bool:
    until = time.monotonic() + within
    while time.monotonic() < until:
        try:
            return requests.get(f"{url}/_sandbox/health", timeout=2).status_code == 200
        except requests.ConnectionError:
            time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_starts_answers_and_ends_in_good_order(number: signal.Signals) -> None:
    port = free_port()
    with started("--port", str(port), "--pace", "0", "--tenants", "3") as process:
        assert answers(f"http://127.0.0.1:{port}")
        process.send_signal(number)
        _, said = process.communicate(timeout=15)
        assert (process.returncode, said) == (0, "")


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with started("--port", str(port), "--tenants", "1") as process:
            _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert str(port) in said and "in use" in said and len(said.strip().splitlines()) == 1


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "sandbox.example"])
def test_it_listens_to_nobody_else(host: str) -> None:
    with started("--host", host, "--tenants", "1") as process:
        _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "loopback" in said and len(said.strip().splitlines()) == 1


def test_two_worlds_run_side_by_side() -> None:
    with running(small_world()) as one, running(small_world(seed=8)) as two:
        assert one.url != two.url
        assert [requests.get(f"{url}/_sandbox/health", timeout=5).json()["seed"] for url in (one.url, two.url)] == [
            7,
            8,
        ]
