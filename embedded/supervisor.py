"""The one process that starts both servers, keeps them up, and stops them when nobody uses them any more.

Going down and a newcomer cannot pass each other: the supervisor stops for want of users only while it holds
`holders.lock` exclusively, and it keeps that lock until its process is gone. A newcomer waits for its shared lock,
then finds no supervisor, and starts one.
"""

import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from embedded import account, locks, postgres, valkey
from embedded.errors import EmbeddedError
from embedded.places import Places
from embedded.server import Server

logger = logging.getLogger("embedded")

_GRACE_SECONDS = 5.0
_GLANCE_SECONDS = 0.2
# A server that keeps crashing is not restarted for ever: our own choice of how often within how many seconds.
MOST_RESTARTS = 5
_RESTART_WINDOW = 300.0
_START_SECONDS = 45.0

# In the order of starting; stopped the other way round.
SERVERS: dict[str, Callable[[Places], Server]] = {"postgres": postgres.server, "valkey": valkey.server}


class Supervisor:
    """Holds `supervisor.lock` (its descriptor is given) for as long as the process lives."""

    def __init__(self, places: Places, lock: int) -> None:
        self.places = places
        self.lock = lock
        self.holders = locks.open_lock(places.holders_lock)
        self.grace = float(os.environ.get("EMBEDDED_GRACE_SECONDS", _GRACE_SECONDS))
        self.servers: dict[str, Server] = {}
        self.restarts: list[float] = []
        self.told_to_stop = False
        self.in_a_hurry = False
        self.used_at = time.monotonic()

    def run(self) -> int:
        """The exit status: 0 after an ordered stop, 1 when a server could not be kept up."""
        self._listen()
        try:
            self._start()
            self._watch()
        except EmbeddedError as error:
            logger.error("%s", error)
            return 1
        finally:
            locks.write_state(self.lock, "stopping")
            for name in reversed(SERVERS):
                if name in self.servers:
                    self.servers[name].stop()
            self._tidy()
            logger.info("everything is stopped")
        return 0

    def _tidy(self) -> None:
        """Leave nothing below /tmp, unless the data itself had to live there."""
        if self.places.short in self.places.sockets.parents:
            with suppress(OSError):
                self.places.sockets.rmdir()
                self.places.short.rmdir()

    def _listen(self) -> None:
        def stop(number: int, _frame: FrameType | None) -> None:
            logger.info("told to stop by %s", signal.Signals(number).name)
            self.told_to_stop = True

        def hurry(_number: int, _frame: FrameType | None) -> None:
            self.in_a_hurry = True

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        signal.signal(signal.SIGUSR1, hurry)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        locks.write_state(self.lock, "starting")

    def _start(self) -> None:
        if self.places.short in self.places.sockets.parents:
            account.claim(self.places.short)
        account.current().give(self.places.sockets)
        for name in SERVERS:
            self._launch(name)
        self._await("postgres", lambda: postgres.answers(self.places, user="postgres", database="postgres"))
        if not self.told_to_stop:
            postgres.make_ready(self.places)
        self._await("valkey", lambda: valkey.answers(self.places))
        locks.write_state(self.lock, "ready")
        self.used_at = time.monotonic()

    def _launch(self, name: str) -> None:
        if self.told_to_stop:
            return
        self.servers[name] = SERVERS[name](self.places)
        self.servers[name].start()
        if name == "valkey":
            valkey.remember(self.servers[name], self.places)

    def _await(self, name: str, answers: Callable[[], bool]) -> None:
        """A server may need more than one start: backends of a killed one hold on to its memory for a moment."""
        deadline = time.monotonic() + _START_SECONDS
        while not self.told_to_stop and not answers():
            self._revive(name)
            if time.monotonic() > deadline:
                raise EmbeddedError(f"{name} does not answer after {_START_SECONDS:.0f} s; {self.servers[name].log}")
            time.sleep(0.03)

    def _watch(self) -> None:
        while not self.told_to_stop:
            for name in SERVERS:
                self._revive(name)
            if self._unused():
                logger.info("nobody uses the servers any more")
                return
            time.sleep(_GLANCE_SECONDS)

    def _revive(self, name: str) -> None:
        code = self.servers[name].ended()
        if code is None:
            return
        now = time.monotonic()
        self.restarts = [then for then in self.restarts if now - then < _RESTART_WINDOW]
        if len(self.restarts) >= MOST_RESTARTS:
            raise EmbeddedError(
                f"{name} ended with {code} once more after {MOST_RESTARTS} restarts: giving up. "
                f"The end of its log: {self.servers[name].last_words()}"
            )
        logger.warning("%s ended with %d: restart %d of %d", name, code, len(self.restarts) + 1, MOST_RESTARTS)
        time.sleep(0.2 * len(self.restarts))
        self.restarts.append(now)
        self._launch(name)

    def _unused(self) -> bool:
        """True when nobody has held the servers for the grace period; the lock is then ours for good."""
        if not locks.try_lock(self.holders, exclusive=True):
            self.used_at = time.monotonic()
            self.in_a_hurry = False
            return False
        if self.in_a_hurry or time.monotonic() - self.used_at >= self.grace:
            return True
        locks.unlock(self.holders)
        return False
