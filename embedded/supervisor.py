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
            for name in ("valkey", "postgres"):
                if name in self.servers:
                    self.servers[name].stop()
            logger.info("everything is stopped")
        return 0

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
        self._launch("postgres", postgres.server)
        self._launch("valkey", valkey.server)
        postgres.make_ready(self.servers["postgres"], self.places)
        valkey.make_ready(self.servers["valkey"], self.places)
        locks.write_state(self.lock, "ready")
        self.used_at = time.monotonic()

    def _launch(self, name: str, prepare: Callable[[Places], Server]) -> None:
        if self.told_to_stop:
            return
        self.servers[name] = prepare(self.places)
        self.servers[name].start()
        if name == "valkey":
            valkey.remember(self.servers[name], self.places)

    def _watch(self) -> None:
        while not self.told_to_stop:
            self._revive("postgres", postgres.server)
            self._revive("valkey", valkey.server)
            if self._unused():
                logger.info("nobody uses the servers any more")
                return
            time.sleep(_GLANCE_SECONDS)

    def _revive(self, name: str, prepare: Callable[[Places], Server]) -> None:
        code = self.servers[name].ended()
        if code is None:
            return
        now = time.monotonic()
        self.restarts = [then for then in self.restarts if now - then < _RESTART_WINDOW]
        if len(self.restarts) >= MOST_RESTARTS:
            raise EmbeddedError(f"{name} ended with {code} once more after {MOST_RESTARTS} restarts: giving up.")
        logger.warning("%s ended with %d: restart %d of %d", name, code, len(self.restarts) + 1, MOST_RESTARTS)
        time.sleep(0.2 * len(self.restarts))
        self.restarts.append(now)
        self._launch(name, prepare)

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
