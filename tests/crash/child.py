"""A worker that wakes up once, and dies at a point: the process that ``python -m tests.crash child`` is.

It sets up, says that it is ready, waits for the point and the count on its input, and then does what a worker does.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.crash.points import BY_NAME, die_at

ROOT = Path(__file__).resolve().parents[2]
LEASE_SECONDS = 1
# A call that a busy machine did not make in time is tried again soon.
FIRST_WAIT_SECONDS = 0.2
READY = "ready"


def work() -> None:
    """What the process does; it does not return if the point is reached."""
    import django

    django.setup()
    from incidents import tasks

    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    name, nth = sys.stdin.readline().split()
    die_at(BY_NAME[name], nth=int(nth))
    getattr(tasks, BY_NAME[name].task)()


def start(*, database: str, sandbox: str) -> subprocess.Popen[str]:
    """A worker process that gets itself ready, on a database and against a sandbox."""
    names = ("PATH", "HOME", "LANG", "REDIS_URL", "REDIS_KEY_PREFIX")
    environment = {name: os.environ[name] for name in names if name in os.environ}
    environment |= {f"SANDBOX_{part}_URL": sandbox for part in ("LOGIN", "XDR", "MDE", "GRAPH")}
    environment |= {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "PORTAL_ENV": "test",
        "PORTAL_PROCESS": "worker",
        "DATABASE_URL": database,
        "MICROSOFT_CLOUD": "sandbox",
        "SYNC_LEASE_SECONDS": str(LEASE_SECONDS),
        "SYNC_FIRST_WAIT_SECONDS": str(FIRST_WAIT_SECONDS),
        "TRIAGE_LOOK_SECONDS": "0.2",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "tests.crash", "child"],
        cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def die(process: subprocess.Popen[str], point: str, nth: int, *, seconds: float = 30.0) -> int:
    """Let it work and die; returns how it ended (a negative signal number, or 0 if the point was not reached)."""
    assert process.stdout
    said = process.stdout.readline().strip()
    if said != READY:
        raise RuntimeError(f"The worker did not get ready: {said!r}, status {process.wait(seconds)}.")
    process.communicate(f"{point} {nth}\n", timeout=seconds)
    return process.returncode


def end(process: subprocess.Popen[str]) -> None:
    """A worker that is not needed any more."""
    process.kill()
    process.communicate()
