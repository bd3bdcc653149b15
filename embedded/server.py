"""One server as a child process: started with a clean environment, logged to a file, stopped step by step."""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from embedded import account
from embedded.errors import EmbeddedError

logger = logging.getLogger("embedded")

# Each signal with the seconds that it is given before the next one is sent.
Steps = tuple[tuple[signal.Signals, float], ...]

_LOG_BYTES = 10_000_000  # Our own choice: a log that has grown past this is set aside at the next start.
# A server sees nothing of the caller's environment (which may hold secrets) but what a program needs to run.
_PASSED_ON = ("PATH", "LANG", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass
class Server:
    """What to run, and how it is asked to stop. `at_parents_death` is the name of a signal, such as INT."""

    name: str
    argv: list[str]
    log: Path
    at_parents_death: str
    stopping: Steps
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        _set_aside(self.log)
        argv = account.current().command(self.argv, at_parents_death=self.at_parents_death)
        with self.log.open("ab") as log:
            # stdin is closed and the session is its own: Ctrl-C on a terminal reaches no server.
            self.process = subprocess.Popen(
                argv, cwd="/", env=clean_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        logger.info("%s started, pid %d", self.name, self.process.pid)

    def ended(self) -> int | None:
        """The return code of a process that has ended (negative: the signal), or None while it runs."""
        return self.process.poll() if self.process else None

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return " / ".join(lines[-3:])

    def stop(self) -> None:
        """Ask, wait, ask harder; returns when the process is gone."""
        if self.process is None or self.process.poll() is not None:
            return
        for step, seconds in self.stopping:
            self.process.send_signal(step)
            try:
                code = self.process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                logger.warning("%s did not stop within %.0f s of %s", self.name, seconds, step.name)
            else:
                logger.info("%s stopped with %d", self.name, code)
                return


def clean_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return kept | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}


def wait_for(condition: Callable[[], bool], *, seconds: float, every: float = 0.05) -> bool:
    """Poll until the condition holds; False when the time is up."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every)
    return True


def wait_out(pid: int, marks: Iterable[str], steps: Steps, *, patience: float = 10.0) -> None:
    """Wait until a server that an earlier supervisor left behind is gone; after `patience` seconds make it go.

    `marks` are words of its command line: a pid that now belongs to some other program is left alone."""
    if wait_for(lambda: not _runs(pid, marks), seconds=patience):
        return
    for step, seconds in steps:
        logger.warning("an earlier server, pid %d, is still there: sending %s", pid, step.name)
        os.kill(pid, step)
        if wait_for(lambda: not _runs(pid, marks), seconds=seconds):
            return
    raise EmbeddedError(f"An earlier server, process {pid}, does not end. End it by hand and try again.")


def _runs(pid: int, marks: Iterable[str]) -> bool:
    """True while the pid is a process with these words in its command line (a zombie has none)."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return all(os.fsencode(mark) in command for mark in marks)


def _set_aside(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))
