"""Credentials of the partner app that are live at the same time, so that one can be replaced without a gap.

Entra ID accepts several credentials of one registration. Whoever replaces one adds the new one there, gives it to the
portal beside the old one, and takes the old one away when the new one is in use. The newest that works is used; one
that is refused is asked again after a while. A credential that comes from a file is read anew when the file changes,
so that no worker has to be restarted; one that lies elsewhere is read anew after a while.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Final

from defender.credentials import Credential
from defender.errors import CredentialFault

# Seconds, ours: how long a refused credential rests while another works, and how often files are looked at.
REST: Final = 60.0
LOOK_EVERY: Final = 5.0

Stamp = tuple[int, int, int] | None


@dataclass(slots=True)
class Live:
    """One credential: how to load it, and what means that it may be a new one.

    That is a change of the file `path`, or that `every` seconds have gone by. Without either it never changes.
    """

    name: str
    load: Callable[[], Credential]
    path: Path | None = None
    every: float | None = None
    credential: Credential | None = field(default=None, repr=False)
    fault: CredentialFault | None = field(default=None, repr=False)
    stamp: Stamp = None
    looked_at: float | None = None
    rests_until: float = 0.0
    is_taken: bool = False


class Rotation:
    """The live credentials, newest first. Safe for many threads. Raises CredentialFault where none can be loaded."""

    def __init__(
        self,
        live: Sequence[Live],
        *,
        on_refused: Callable[[str, CredentialFault], None] = lambda name, fault: None,
        on_accepted: Callable[[str], None] = lambda name: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._live = list(live)
        self._on_refused, self._on_accepted, self._clock = on_refused, on_accepted, clock
        self._lock = threading.Lock()

    @classmethod
    def of(cls, credential: Credential) -> "Rotation":
        """One credential that never changes."""
        return cls([Live("credential", lambda: credential)])

    def candidates(self) -> list[Credential]:
        """Those to try, in order: the newest first, those that were refused lately last."""
        with self._lock:
            now = self._clock()
            news = [(live.name, live.fault) for live in self._live if self._look(live, now)]
            usable = [live for live in self._live if live.credential is not None]
            usable.sort(key=lambda live: live.rests_until > now)
            found = [live.credential for live in usable if live.credential is not None]
            fault = next((live.fault for live in self._live if live.fault), None)
        for name, problem in news:
            if problem is not None:
                self._on_refused(name, problem)
        if not found:
            raise fault or CredentialFault("No credential is set.", code="setting")
        return found

    def refused(self, credential: Credential, fault: CredentialFault) -> None:
        """Entra ID refused this one: others go first for a while."""
        with self._lock:
            live = self._of(credential)
            is_news = live is not None and not live.rests_until
            if live is not None:
                live.rests_until = self._clock() + REST
        if live is not None and is_news:
            self._on_refused(live.name, fault)

    def accepted(self, credential: Credential) -> None:
        """Entra ID took this one."""
        with self._lock:
            live = self._of(credential)
            is_news = live is not None and (bool(live.rests_until) or not live.is_taken)
            if live is not None:
                live.rests_until, live.is_taken = 0.0, True
        if live is not None and is_news:
            self._on_accepted(live.name)

    def _of(self, credential: Credential) -> Live | None:
        return next((live for live in self._live if live.credential is credential), None)

    @staticmethod
    def _stamp(path: Path | None) -> Stamp:
        try:
            found = path.stat() if path is not None else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None

    @staticmethod
    def _pause(live: Live) -> float:
        """Seconds between two looks. What lies elsewhere is asked sooner after a failure, but not at once."""
        if live.every is not None:
            return min(live.every, REST) if live.fault else live.every
        return LOOK_EVERY if live.path is not None else inf

    def _look(self, live: Live, now: float) -> bool:
        """Load it on first use and when it may have changed. What cannot be loaded leaves the one before in use.

        Whether it has just turned out that it cannot be loaded.
        """
        is_first = live.looked_at is None
        if live.looked_at is not None and now - live.looked_at < self._pause(live):
            return False
        stamp, live.looked_at = self._stamp(live.path), now
        if not is_first and live.every is None and stamp == live.stamp and live.fault is None:
            return False
        try:
            loaded = live.load()
        except CredentialFault as fault:
            is_news = live.fault is None
            live.fault, live.rests_until = fault, live.rests_until or now
            return is_news
        if loaded != live.credential:
            live.credential = loaded
            live.rests_until, live.is_taken = min(live.rests_until, now), False
        live.stamp, live.fault = stamp, None
        return False
