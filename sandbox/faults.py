"""Faults that can be switched on for one tenant or for all, with a probability, a seed and a number of times.

A fault says *what* goes wrong and *where*; the endpoints ask `Faults.draw` and carry it out.
"""

import itertools
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

API = ("list", "get", "patch", "machines", "graph")
# Kind → the operations it strikes unless `on` says otherwise.
KINDS: dict[str, tuple[str, ...]] = {
    "throttle": API,
    "status": API,
    "html": API,
    "empty": API,
    "error_object": API,
    "cut": API,
    "drip": API,
    "slow": API,
    "drift": ("list",),
    "loop": ("list",),
    "late": ("list",),
    "poison": ("list", "get"),
    "wrong_tenant_token": ("token",),
    "token_without_roles": ("token",),
    "opaque_token": ("token",),
    "secret_expired": ("token",),
    "discovery_down": ("discovery",),
}
OPERATIONS = (*API, "token", "discovery")
# These answer in place of the endpoint; the rest bend what the endpoint does or what it sends.
INSTEAD = ("throttle", "status", "html", "empty", "error_object", "discovery_down")
_SETTINGS = ("kind", "probability", "seed", "count", "on")


@dataclass
class Fault:
    """One fault. `remaining` None is for ever; `options` are the kind's own, such as seconds, status, way, header."""

    number: int
    kind: str
    tenant_id: str | None
    on: tuple[str, ...]
    probability: float
    remaining: int | None
    options: dict[str, Any]
    rng: random.Random
    fired: int = 0

    def strikes(self, tenant_id: str | None, operation: str) -> bool:
        if operation not in self.on or (self.tenant_id not in (None, tenant_id)) or self.remaining == 0:
            return False
        if self.rng.random() >= self.probability:
            return False
        self.fired += 1
        if self.remaining is not None:
            self.remaining -= 1
        return True

    def number_option(self, name: str, default: float) -> float:
        return float(self.options.get(name, default))

    def described(self) -> dict[str, Any]:
        shown = {"kind": self.kind, "on": list(self.on), "probability": self.probability, "remaining": self.remaining}
        return {
            "number": self.number,
            "tenant_id": self.tenant_id,
            **shown,
            "fired": self.fired,
            "options": self.options,
        }


@dataclass
class Faults:
    """The board of active faults. `seed` makes every draw repeatable for the same order of calls."""

    seed: int
    _active: list[Fault] = field(default_factory=list)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, tenant_id: str | None, fault: Mapping[str, Any]) -> Fault:
        """Switch a fault on: {kind, probability?, count?, seed?, on?, …options}. ValueError says what is wrong."""
        kind = fault.get("kind")
        if kind not in KINDS:
            raise ValueError(f"unknown fault {kind!r}; known: {', '.join(KINDS)}")
        on = tuple(fault.get("on") or KINDS[kind])
        if unknown := set(on) - set(OPERATIONS):
            raise ValueError(f"unknown operation {sorted(unknown)}; known: {', '.join(OPERATIONS)}")
        count, number = fault.get("count"), next(self._numbers)
        made = Fault(
            number=number,
            kind=kind,
            tenant_id=tenant_id,
            on=on,
            probability=float(fault.get("probability", 1.0)),
            remaining=None if count is None else int(count),
            options={name: value for name, value in fault.items() if name not in _SETTINGS},
            rng=random.Random(f"{fault.get('seed', self.seed)}:{kind}:{tenant_id}"),
        )
        with self._lock:
            self._active.append(made)
        return made

    def clear(self, tenant_id: str | None = None, kind: str | None = None) -> None:
        """Switch off this tenant's faults, or with no tenant every fault there is; `kind` narrows it."""
        with self._lock:
            self._active = [
                fault
                for fault in self._active
                if (tenant_id is not None and fault.tenant_id != tenant_id) or (kind is not None and fault.kind != kind)
            ]

    def draw(self, tenant_id: str | None, operation: str) -> list[Fault]:
        """The faults that strike this call. Counts them as used."""
        if not self._active:
            return []
        with self._lock:
            return [fault for fault in self._active if fault.strikes(tenant_id, operation)]

    def active(self, tenant_id: str | None = None) -> list[Fault]:
        """Faults still to come: all of them, or those a tenant is exposed to."""
        with self._lock:
            live = [fault for fault in self._active if fault.remaining != 0]
        return [fault for fault in live if tenant_id is None or fault.tenant_id in (None, tenant_id)]
