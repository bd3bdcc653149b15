"""Microsoft's published call limits, counted per tenant and app over a moving minute and a moving hour.

Limits as in "List incidents", "Get incident" and "Update incidents" on Microsoft Learn; the machine
list's from its page.
"""

import math
from bisect import bisect_right
from collections import defaultdict, deque
from dataclasses import dataclass, field

# Seconds: clocks and the way here are not exact.
TOLERANCE = 0.05
PER_MINUTE = {"list": 50, "get": 100, "patch": 50, "machines": 100, "graph": 150}
PER_HOUR = {"list": 1500, "get": 1500, "patch": 1500, "machines": 1500}


@dataclass(frozen=True)
class Exceeded:
    """A call too many: the limit, its span as Microsoft writes it, and the whole seconds until it is free again."""

    allowed: int
    span: str
    seconds: int

    @property
    def message(self) -> str:
        """What the recorded 429 says."""
        return (
            f"API calls quota exceeded! Maximum allowed {self.allowed} per {self.span} for the key "
            f"Destination+TenantID+AppID. You can send requests again in {self.seconds} seconds."
        )


@dataclass
class Quotas:
    """Counts accepted calls. `enabled` off lets everything through, for tests of something else.

    `refused` are calls turned down by these limits, `early` those that came before the time a caller was told to wait.
    """

    enabled: bool = True
    refused: int = 0
    early: int = 0
    _told: dict[tuple[str, str], float] = field(default_factory=dict)
    _calls: dict[tuple[str, str], deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def spend(self, tenant_id: str, operation: str, *, now: float) -> Exceeded | None:
        """Count one call at `now` (seconds), or say why not; a refused call costs nothing."""
        calls = self._calls[tenant_id, operation]
        while calls and calls[0] <= now - 3600:
            calls.popleft()
        refused = self._refusal(calls, operation, now) if self.enabled else None
        if refused is None:
            calls.append(now)
        else:
            self.refused += 1
        return refused

    def tell(self, tenant_id: str, operation: str, *, until: float) -> None:
        """A caller was told to wait until then, in seconds of the world's clock."""
        self._told[tenant_id, operation] = until

    def note_arrival(self, tenant_id: str, operation: str, *, now: float) -> None:
        """Count a call that comes although its caller was told to wait."""
        self.early += now < self._told.get((tenant_id, operation), 0.0) - TOLERANCE

    @staticmethod
    def _refusal(calls: deque[float], operation: str, now: float) -> Exceeded | None:
        for limits, span, length in ((PER_HOUR, "01:00:00", 3600), (PER_MINUTE, "00:01:00", 60)):
            allowed = limits.get(operation)
            used = len(calls) - bisect_right(calls, now - length)
            if allowed is not None and used >= allowed:
                return Exceeded(allowed, span, max(1, math.ceil(calls[-allowed] + length - now)))
        return None

    def clear(self) -> None:
        """Forget every call so far."""
        self._calls.clear()
