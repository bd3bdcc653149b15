"""What a process that wants the servers does: hold them, find them up or start them, and let them go."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from embedded import account, locks, postgres, programs, valkey
from embedded.errors import EmbeddedError
from embedded.places import Addresses, Places, addresses, places
from embedded.server import clean_environment, wait_for

_START_SECONDS = 60.0
_TRIES = 2
_ANSWER_SECONDS = 2.0  # Ten times what the supervisor takes to look whether anybody still holds the servers.
_LOG_LINES = 12

# One descriptor per data directory, open until the process ends; forked children share the lock.
_held: dict[Path, int] = {}
_guard = threading.Lock()


def quiet(_line: str) -> None:
    """Says nothing."""


def ensure(data_dir: Path, *, say: Callable[[str], None] = quiet) -> Addresses:
    """Both servers, answering, for as long as this process (or a fork of it) lives.

    May be called again at any time: it finds the servers up, or starts them anew. Takes up to 60 seconds, and raises
    EmbeddedError with the supervisor's last words when they do not come up."""
    found = places(data_dir)
    with _guard:
        already = found.data in _held
        _hold(found)
        try:
            if not _ready(found):
                _start(found, say)
        except EmbeddedError:
            if not already:
                os.close(_held.pop(found.data))
            raise
    return addresses(data_dir)


def release(data_dir: Path, *, seconds: float = 15.0) -> bool:
    """Let the servers go before the process ends. True when they have stopped because nobody else uses them.

    A process that ends anyway need not call this: it spares the grace period, so that nothing is left behind."""
    found = places(data_dir)
    with _guard:
        descriptor = _held.pop(found.data, None)
    if descriptor is not None:
        os.close(descriptor)
    supervisor = locks.supervisor(found.supervisor_lock)
    if supervisor and supervisor[0]:
        tell(supervisor[0], signal.SIGUSR1)
        wait_for(lambda: locks.supervisor(found.supervisor_lock) != supervisor, seconds=_ANSWER_SECONDS)
        supervisor = locks.supervisor(found.supervisor_lock)
    if supervisor and supervisor[1] == "stopping":
        wait_for(lambda: locks.supervisor(found.supervisor_lock) is None, seconds=seconds)
    return locks.supervisor(found.supervisor_lock) is None


def tell(pid: int, message: signal.Signals) -> None:
    """Signal the supervisor; one that has just ended needs no telling."""
    try:
        os.kill(pid, message)
    except ProcessLookupError:
        return


def _hold(found: Places) -> None:
    if found.data in _held:
        return
    _make_folder(found.data)
    descriptor = locks.open_lock(found.holders_lock)
    # A supervisor that is going down holds this lock until it is gone.
    if not locks.try_lock(descriptor, exclusive=False, seconds=_START_SECONDS):
        os.close(descriptor)
        raise EmbeddedError(f"The servers in {found.data} do not stop; {found.supervisor_log} says more.")
    _held[found.data] = descriptor


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except PermissionError as error:
        raise EmbeddedError(f"{folder} cannot be made: {error.strerror}.") from error


def _ready(found: Places) -> bool:
    supervisor = locks.supervisor(found.supervisor_lock)
    if supervisor is None or supervisor[1] != "ready":
        return False
    # A supervisor that was killed a moment ago may have seemed alive, and its servers may have answered a last time.
    up = valkey.answers(found) and postgres.answers(found)
    return up and locks.supervisor(found.supervisor_lock) == supervisor


def _start(found: Places, say: Callable[[str], None]) -> None:
    began = time.monotonic()
    tries = 0
    postgres.check_version(found, programs.postgres_bin())
    programs.redis_server()
    say(f"Starting PostgreSQL and Valkey in {found.data}")
    while not _ready(found):
        if time.monotonic() - began > _START_SECONDS:
            raise EmbeddedError(f"The servers did not come up in {_START_SECONDS:.0f} s.\n{_last_words(found)}")
        if locks.supervisor(found.supervisor_lock) is None:
            if tries == _TRIES:
                raise EmbeddedError(f"The servers could not be started.\n{_last_words(found)}")
            tries += 1
            _spawn(found)
        time.sleep(0.03)
    say(f"PostgreSQL and Valkey are up after {time.monotonic() - began:.1f} s")


def _spawn(found: Places) -> None:
    """Run the supervisor's command; it detaches itself once it has the supervisor's lock, so this returns at once.

    It gets a clean environment: a process that outlives its caller should not carry the caller's secrets."""
    account.current()  # Raises here, with a sentence, where root may not start the servers.
    settings = {name: value for name, value in os.environ.items() if name.startswith("EMBEDDED_")}
    with found.supervisor_log.open("ab") as log:
        subprocess.run(
            [sys.executable, "-m", "embedded", "--data-dir", str(found.data)],
            cwd=Path(__file__).resolve().parent.parent,
            env=clean_environment() | settings,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, timeout=_START_SECONDS, check=False,
        )  # fmt: skip


def _last_words(found: Places) -> str:
    if not found.supervisor_log.exists():
        return f"{found.supervisor_log} was not written."
    lines = found.supervisor_log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    return "\n".join([f"The end of {found.supervisor_log}:", *lines])
