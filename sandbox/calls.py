"""Every call that was made, for tests that ask who was called how often. Tokens only as the start of a hash."""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

_KEPT = 200_000


@dataclass(frozen=True, slots=True)
class Call:
    """`at` in seconds of the world's clock, `took` in seconds; `token` the first 12 hex digits of its SHA-256."""

    number: int
    at: float
    method: str
    path: str
    query: str
    status: int
    took: float
    operation: str = ""
    tenant_id: str | None = None
    token: str = ""
    faults: tuple[str, ...] = ()

    def described(self) -> dict[str, Any]:
        """The call as JSON."""
        return asdict(self)


@dataclass
class Calls:
    """The log of calls. Safe to write and read from several threads."""

    _log: deque[Call] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _last: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, **facts: Any) -> None:
        """Append a call; `facts` are the fields of `Call` but its number."""
        with self._lock:
            self._last += 1
            self._log.append(Call(number=self._last, **facts))

    def since(self, number: int = 0) -> list[Call]:
        """Calls with a higher number, oldest first. Only the latest 200,000 are kept."""
        with self._lock:
            return list(self._newer(number))[::-1]

    def _newer(self, number: int) -> Iterator[Call]:
        for call in reversed(self._log):
            if call.number <= number:
                return
            yield call

    @property
    def last(self) -> int:
        """The number of the latest call, 0 before the first."""
        return self._last
