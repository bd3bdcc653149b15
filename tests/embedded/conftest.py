"""Real servers in folders of their own. Holders are processes, because a lock ends with its process."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import pytest

from embedded.places import places

ROOT = Path(__file__).resolve().parents[2]
GRACE_SECONDS = 0.5
Words = Sequence[str]
Settings = Mapping[str, str]
NONE: Settings = MappingProxyType({})
_HOLD = """
import sys, pathlib, embedded
data_dir = pathlib.Path(sys.argv[1])
try:
    embedded.ensure(data_dir)
except embedded.EmbeddedError as error:
    print(" ".join(str(error).split()), flush=True)
else:
    print("up", flush=True)
    for line in sys.stdin:
        embedded.ensure(data_dir)
        print("up again", flush=True)
"""


def environment() -> dict[str, str]:
    """What a holder sees: quick servers, a short grace, and nothing of this run's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"EMBEDDED_FSYNC": "off", "EMBEDDED_GRACE_SECONDS": str(GRACE_SECONDS)}


def until(condition: Callable[[], bool], *, seconds: float = 20.0) -> bool:
    """Poll; False when the time is up."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def processes(data_dir: Path) -> dict[int, str]:
    """Every living process that works for this data directory, by pid, with its command line."""
    marks = {os.fsencode(data_dir), os.fsencode(places(data_dir).sockets)}
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        is_holder = b"embedded.ensure" in command
        if not is_holder and any(mark in command for mark in marks):
            found[int(folder.name)] = command.replace(b"\0", b" ").decode()
    return found


def pid_of(data_dir: Path, program: str) -> int:
    """The pid of the one process whose command line starts with a path that ends in `program`, or runs that module."""
    found = [pid for pid, command in processes(data_dir).items() if program in command.split(" -")[0]]
    if program == "embedded":
        found = [pid for pid, command in processes(data_dir).items() if "-m embedded" in command]
    assert len(found) == 1, (program, processes(data_dir))
    return found[0]


def kill(data_dir: Path, *pids: int) -> None:
    """kill -9, and wait until it has happened: the signal is delivered later than os.kill returns."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    assert until(lambda: not set(pids) & set(processes(data_dir)))


@dataclass
class Holders:
    """Starts processes that hold the servers of one data directory, each running until it is let go."""

    data_dir: Path
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *, prefix: Words = (), settings: Settings = NONE) -> subprocess.Popen[str]:
        return self.start_script(_HOLD, prefix=prefix, settings=settings)

    def start_script(self, script: str, *, prefix: Words = (), settings: Settings = NONE) -> subprocess.Popen[str]:
        """A process that is given the data directory as its only word, and stops at the end of its input."""
        holder = subprocess.Popen(
            [*prefix, sys.executable, "-c", script, str(self.data_dir)],
            cwd=ROOT, env=environment() | dict(settings), text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.running.append(holder)
        return holder

    def hold(self, *, prefix: Words = (), settings: Settings = NONE) -> subprocess.Popen[str]:
        """A holder that has the servers up."""
        holder = self.start(prefix=prefix, settings=settings)
        assert said(holder) == "up"
        return holder

    def end(self) -> None:
        for holder in self.running:
            let_go(holder)


def said(holder: subprocess.Popen[str]) -> str:
    assert holder.stdout
    return holder.stdout.readline().strip()


def ask_again(holder: subprocess.Popen[str]) -> str:
    """Have a holder call ensure once more."""
    assert holder.stdin
    holder.stdin.write("again\n")
    holder.stdin.flush()
    return said(holder)


def let_go(holder: subprocess.Popen[str]) -> None:
    if holder.stdin and not holder.stdin.closed:
        holder.stdin.close()
    holder.wait(timeout=30)
    if holder.stdout:
        holder.stdout.close()


def command(*words: str) -> subprocess.CompletedProcess[str]:
    """`python -m embedded …` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "embedded", *words],
        cwd=ROOT, env=environment(), text=True, capture_output=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def holders(data_dir: Path) -> Iterator[Holders]:
    these = Holders(data_dir)
    yield these
    these.end()
    command("--stop", "--data-dir", str(these.data_dir))
    left = not until(lambda: not processes(these.data_dir), seconds=15)
    shutil.rmtree(places(these.data_dir).short, ignore_errors=True)
    assert not left, processes(these.data_dir)
