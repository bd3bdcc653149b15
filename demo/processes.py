"""The try-out's processes: each in a session of its own, logging to a file, ended when the launcher ends.

Ctrl-C reaches the launcher only, which ends the others in order. Should the launcher be killed outright, the kernel
ends its children (``setpriv --pdeathsig``, where there is one).
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

STOP_SECONDS = 15.0


class Ended(Exception):
    """A process ended that should have gone on; the text names it and shows the end of its log."""


class Process:
    """One named process with its log file."""

    def __init__(self, name: str, arguments: list[str], *, env: Mapping[str, str], log: Path, cwd: Path) -> None:
        self.name, self.log = name, log
        log.parent.mkdir(parents=True, exist_ok=True)
        self._out: IO[bytes] = log.open("wb")
        self._child = subprocess.Popen(
            [*_ends_with_launcher(), sys.executable, *arguments],
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The operating system's number for it."""
        return self._child.pid

    def check(self) -> None:
        """Raise Ended where the process is gone."""
        status = self._child.poll()
        if status is not None:
            raise Ended(f"{self.name} ended with status {status}. The end of {self.log}:\n{self.last_words()}")

    def last_words(self, lines: int = 12) -> str:
        """The end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """Ask it to end; after a while, insist."""
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._kill()
        self._out.close()

    def _kill(self) -> None:
        try:
            os.killpg(self._child.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self._child.wait(STOP_SECONDS)


def wait_until(ready: "Waiter", *, seconds: float, watching: list[Process]) -> bool:
    """Poll ``ready`` until it is true; raises Ended as soon as a watched process is gone. False after ``seconds``."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for process in watching:
            process.check()
        if ready():
            return True
        time.sleep(0.1)
    return False


class Waiter:
    """A question asked again and again; see ``answers``."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self) -> bool:
        """Whether the URL answers with 200."""
        import requests

        try:
            return requests.get(self.url, timeout=2).status_code == 200
        except requests.RequestException:
            return False


def _ends_with_launcher() -> list[str]:
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []
