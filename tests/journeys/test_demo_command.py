"""``make demo``'s command: it comes up, says what to do, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from demo.ports import free_port
from demo.stack import ROOT
from tests.journeys.portal_under_test import database, eventually, forget_keys


def test_the_demo_starts_tells_and_ends_everything_on_ctrl_c(tmp_path: Path) -> None:
    with database(f"portal_test_{os.getpid()}_demo") as url, socket.socket() as taken:
        port = free_port(28000)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        prefix = f"demo-{os.getpid()}:"
        env = {**os.environ, "PORTAL_ENV": "local", "PORTAL_LOCAL_DIR": str(tmp_path), "DATABASE_URL": url}
        env |= {"REDIS_KEY_PREFIX": prefix, "SYNC_WAKE_SECONDS": "0.5"}
        command = [sys.executable, "manage.py", "demo", "--port", str(port), "--sandbox-port", str(free_port(29400))]
        log = tmp_path / "demo.out"
        with log.open("wb") as out:
            demo = subprocess.Popen(command, env=env, cwd=ROOT, stdout=out, stderr=out, start_new_session=True)
        try:
            eventually(lambda: "More keep arriving" in log.read_text() or demo.poll() is not None, seconds=120)
            text = log.read_text()
            assert f"Port {port} is in use; the portal takes {port + 1}" in text
            assert f"http://localhost:{port + 1}" in text
            for word in ("admin", "alice", "bob", "charlie", "try-the-portal-now", "/_sandbox/"):
                assert word in text
            family = psutil.Process(demo.pid).children(recursive=True)
            assert len(family) >= 4
            demo.send_signal(signal.SIGINT)
            assert demo.wait(60) == 0
            _, alive = psutil.wait_procs(family, timeout=10)
            assert alive == []
            assert "Traceback" not in log.read_text()
            assert "Everything is stopped" in log.read_text()
        finally:
            if demo.poll() is None:
                demo.kill()
            forget_keys(prefix)


def test_a_port_range_without_a_free_port_is_a_sentence() -> None:
    from demo import ports

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ports, "TRIES", 1)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with pytest.raises(ports.NoFreePort, match="Name another with --port"):
                ports.free_port(taken.getsockname()[1])
