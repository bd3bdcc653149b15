"""The two lock files that tie the servers' life to their users' lives.

`holders.lock` is locked *shared* by every process that uses the servers. The supervisor tests it by trying to lock
it exclusively; while it goes down it keeps the exclusive lock, so that a newcomer waits until it may start afresh.
`supervisor.lock` is locked *exclusively* by the one supervisor; its text is the supervisor's pid and state.

flock(2) is let go by the kernel however a process ends, and is shared with forked children (gunicorn, Celery) until
the last of them ends. The descriptors are not inherited through exec, so a server never holds its own users' lock.
"""

import fcntl
import os
import time
from pathlib import Path

from embedded.errors import EmbeddedError


def open_lock(path: Path) -> int:
    """A descriptor for a lock file that is made if need be. Raises EmbeddedError if it belongs to somebody else."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError as error:
        raise EmbeddedError(f"{path.parent} belongs to another user. Run this as that user, or remove it.") from error


def try_lock(descriptor: int, *, exclusive: bool, seconds: float = 0.0) -> bool:
    """Lock, trying for so many seconds: others lock for an instant just to look."""
    deadline = time.monotonic() + seconds
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        else:
            return True


def unlock(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def write_state(descriptor: int, state: str) -> None:
    """The supervisor says who it is and how far it has come: starting, ready or stopping."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()} {state}\n".encode(), 0)


def supervisor(path: Path) -> tuple[int, str] | None:
    """Pid and state of the supervisor that holds the lock file now; pid 0 while it has not said so yet."""
    if not path.exists():
        return None
    descriptor = open_lock(path)
    try:
        if try_lock(descriptor, exclusive=False):
            return None
        words = os.pread(descriptor, 100, 0).decode().split()
    finally:
        os.close(descriptor)
    if len(words) != 2 or not alive(int(words[0])):
        return 0, "starting"
    return int(words[0]), words[1]


def alive(pid: int) -> bool:
    """True if the process exists, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
