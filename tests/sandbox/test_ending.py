"""The process ends well whatever is connected to it, and its command line speaks in sentences."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def started(*arguments: str, **env: str) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """The process and the port it has chosen."""
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--tenants", "3", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | env
    ) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            yield process, int(first.split("/_sandbox/")[0].rpartition(":")[2])
        finally:
            if process.poll() is None:
                process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_while_a_browser_keeps_its_connection_and_another_waits_for_an_answer(number: signal.Signals) -> None:
    with started("--pace", "5") as (process, port):
        kept, waiting = (http.client.HTTPConnection("127.0.0.1", port, timeout=20) for _ in range(2))
        kept.request("GET", "/_sandbox/")
        assert kept.getresponse().read()
        kept.request("POST", "/_sandbox/faults", '{"kind": "slow", "seconds": 600}')
        assert kept.getresponse().read()
        waiting.request("POST", "/contoso.example/oauth2/token", "a=b")
        kept.request("POST", "/_sandbox/faults", '{"kind": "slow", "seconds": 600, "on": "discovery"}')
        assert kept.getresponse().read()
        waiting.close()
        waiting.request("GET", "/contoso.example/v2.0/.well-known/openid-configuration")
        kept.request("GET", "/_sandbox/health")
        assert kept.getresponse().read()
        process.send_signal(number)
        _, said = process.communicate(timeout=8)
        assert (process.returncode, said) == (0, "")
        for connection in (kept, waiting):
            connection.close()


def test_a_second_signal_while_it_ends_is_no_trouble() -> None:
    with started() as (process, _):
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=8)
        assert (process.returncode, said) == (0, "")


def test_what_was_done_is_in_the_state_file_when_it_is_ended(tmp_path: Path) -> None:
    with started("--state", str(tmp_path / "state")) as (process, port):
        browser = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        browser.request("POST", "/_sandbox/tenants/contoso/incidents", '{"incidentName": "kept"}')
        assert browser.getresponse().status == 200
        browser.close()
        process.terminate()
        process.communicate(timeout=8)
    assert '"kept"' in (tmp_path / "state").read_text()


@pytest.mark.parametrize(
    ("arguments", "env", "word"),
    [
        (["--tenants", "many"], {}, "--tenants"),
        (["--tenants", "0"], {}, "between"),
        (["--pace", "nan"], {}, "between"),
        ([], {"SANDBOX_TENANTS": "x"}, "--tenants"),
        (["--state", "/dev/null/state"], {}, "/dev/null"),
    ],
)
def test_a_wrong_command_line_is_a_sentence(arguments: list[str], env: dict[str, str], word: str) -> None:
    command = [sys.executable, "-m", "sandbox", "--port", "0", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=20, env=os.environ | env, check=False
    )
    assert done.returncode in (1, 2)
    assert word in done.stderr and "Traceback" not in done.stderr
