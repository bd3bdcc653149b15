"""What goes wrong during a soak, by the second: faulty calls all the time, and now and then something is killed."""

import random
import signal
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Final

import psycopg
import redis
import requests

from tests.soak.stage import Stage
from tests.soak.witness import Witness

SURVIVOR: Final = "worker-a"  # never killed, so that its memory can be looked at; stopped and continued instead
VICTIM: Final = "worker-b"
KILL_EVERY: Final = 10
RESTART_EVERY: Final = 60
STALL_EVERY: Final = 30
STALL: Final = 7  # seconds, longer than a lease (5)
REVOKED: Final = 20  # tenants whose consent goes and comes back

LATENESS: Final = 5.5  # seconds until a change shows, at most; the overlap is 6

# About a fifth of all calls; every tenant alike.
FAULTS: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "throttle", "seconds": 2, "probability": 0.025},
    {"kind": "throttle", "seconds": 2, "header": False, "probability": 0.025},
    {"kind": "status", "status": 503, "probability": 0.03},
    {"kind": "status", "status": 500, "probability": 0.02},
    {"kind": "cut", "probability": 0.03},
    {"kind": "html", "probability": 0.02},
    {"kind": "error_object", "probability": 0.01},
    {"kind": "empty", "probability": 0.01},
    {"kind": "drip", "seconds": 6, "pieces": 6, "probability": 0.005},
    {"kind": "drip", "seconds": 3, "pieces": 6, "probability": 0.04, "on": ["list"]},  # slow, but it arrives
    {"kind": "slow", "seconds": 1, "probability": 0.02},
    {"kind": "drift", "changes": 3, "probability": 0.03},
    {"kind": "late", "seconds": LATENESS, "each": True},
)
# Where a bug is to be caught: answers that are old when they arrive, since most bugs need a pass that takes a while.
OLD_NEWS: Final[dict[str, Any]] = {"kind": "drip", "seconds": 3, "pieces": 6, "probability": 0.1, "on": ["list"]}
# Ways of sandbox.poison that no reader can take, and some that it can; all of them keep the incident's number.
WAYS: Final = ("deep", "digits", "bad_utf8", "nul", "nan", "surrogate", "text", "odd_alerts", "null_lists", "bad_time")


@dataclass
class Chaos:
    """``done`` counts what was done; ``poisoned`` are (tenant → numbers)."""

    stage: Stage
    witness: Witness
    seed: int
    tenants: list[str]
    done: Counter[str] = field(default_factory=Counter)
    poisoned: dict[str, set[int]] = field(default_factory=dict)

    def begin(self, *, pace: float, more: Sequence[dict[str, Any]] = ()) -> None:
        """Faults on, and ``more``; the world busy, some incidents poisoned for good."""
        for number, fault in enumerate((*FAULTS, *more)):
            self.stage.control("faults", {**fault, "seed": self.seed + number})
        self.stage.control("pace", {"pace": pace, "busy": True})
        rng = random.Random(self.seed)
        digest = self.stage.control("digest", method="GET")
        count = min(len(self.tenants), max(len(WAYS), len(self.tenants) // 20))
        for tenant, way in zip(rng.sample(self.tenants, count), cycle(WAYS), strict=False):
            number = rng.choice(digest[tenant])[0]
            self.stage.control(f"tenants/{tenant}/poison", {"incident": number, "way": way})
            self.poisoned.setdefault(tenant, set()).add(number)

    def run(self, seconds: float) -> None:
        """Until the time is over."""
        began, ticks = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            ticks += 1
            self._tick(ticks, last=seconds)
            for name, process in self.stage.processes.items():
                if name != VICTIM:
                    process.check()
            time.sleep(max(0.0, began + ticks - time.monotonic()))

    def _tick(self, second: int, *, last: float) -> None:
        if second % 5 == 0:
            self.witness.sample(SURVIVOR)
        if second % KILL_EVERY == 0:
            self._do("worker kills", self._kill)
        if second % RESTART_EVERY == 30:
            self._do("database restarts", self.stage.restart_database)
        if second % RESTART_EVERY == 45:
            self._do("broker flushes", self.stage.flush_broker)
        if second % STALL_EVERY == 12:
            self._do("stalls", lambda: self.stage.signal(SURVIVOR, signal.SIGSTOP))
        if second % STALL_EVERY == 12 + STALL:
            self.stage.signal(SURVIVOR, signal.SIGCONT)
        if second % RESTART_EVERY == 20:
            self._do("secret expiries", lambda: self.stage.control("faults", {"kind": "secret_expired"}))
        if second % RESTART_EVERY == 28:
            self.stage.control("faults", {"kind": "secret_expired"}, method="DELETE")
        if second == 15:
            self._do("consents revoked", self._revoke)
        if second == min(40, int(last) - 5):
            self.restore()

    def _do(self, what: str, act: Any) -> None:
        with suppress(psycopg.OperationalError, redis.RedisError, requests.RequestException):
            act()
            self.done[what] += 1

    def _kill(self) -> None:
        self.stage.kill(VICTIM)
        self.stage.start_worker(VICTIM)

    def _revoke(self) -> None:
        for tenant in self.tenants[:REVOKED]:
            self.stage.control(f"tenants/{tenant}/revoke")
        self._look_at_consent()

    def restore(self) -> None:
        """Customers consent again."""
        for tenant in self.tenants[:REVOKED]:
            self.stage.control(f"tenants/{tenant}/consent")
        self._look_at_consent()

    def _look_at_consent(self) -> None:
        """As staff do with a click: have these connections checked now."""
        with suppress(psycopg.OperationalError), self.stage.database() as connection:
            connection.execute(
                "UPDATE tenants_tenant SET check_due_at = now() WHERE entra_id::text = ANY (%s)",
                [self.tenants[:REVOKED]],
            )

    def end(self) -> None:
        """Nothing more goes wrong and nothing more changes; what was delayed has become visible."""
        self.stage.signal(SURVIVOR, signal.SIGCONT)
        self.stage.control("clear")
        self.stage.control("pace", {"pace": 0, "busy": False})
        self._look_at_consent()
