"""Faults that can be switched on for one tenant or for all, with a probability, a seed and a number of times.

A fault says *what* goes wrong and *where*; the endpoints ask `Faults.draw` and carry it out.
"""

import itertools
import math
import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.forgeries import WAYS as FORGERIES
from sandbox.poison import WAYS

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
    "forged_id_token": ("sign_in",),
}
OPERATIONS = (*API, "token", "discovery", "sign_in", "keys")
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
        """Whether it strikes this call; counts itself as used if so."""
        if operation not in self.on or (self.tenant_id not in (None, tenant_id)) or self.remaining == 0:
            return False
        if self.rng.random() >= self.probability:
            return False
        self.fired += 1
        if self.remaining is not None:
            self.remaining -= 1
        return True

    def number_option(self, name: str, default: float) -> float:
        """An option of its kind as a number."""
        return float(self.options.get(name, default))

    def described(self) -> dict[str, Any]:
        """The fault as JSON."""
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
        if not isinstance(kind, str) or kind not in KINDS:
            raise ValueError(f"There is no fault {kind!r}; there are {', '.join(KINDS)}.")
        count, options = fault.get("count"), {name: value for name, value in fault.items() if name not in _SETTINGS}
        _check_options(kind, options)
        made = Fault(
            number=next(self._numbers),
            kind=kind,
            tenant_id=tenant_id,
            on=_operations(kind, fault.get("on")),
            probability=_number("probability", fault.get("probability", 1.0), 0, 1),
            remaining=None if count is None else int(_number("count", count, 1, 10**9)),
            options=options,
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


def _operations(kind: str, asked: Any) -> tuple[str, ...]:
    """The operations a fault strikes: those asked for, else all of its kind. One operation may come as plain text."""
    on = tuple([asked] if isinstance(asked, str) else asked or KINDS[kind])
    if unknown := [name for name in on if name not in OPERATIONS]:
        raise ValueError(f"There is no operation {unknown[0]!r}; there are {', '.join(OPERATIONS)}.")
    return on


def _check_options(kind: str, options: Mapping[str, Any]) -> None:
    """Refuse what could not be carried out when the fault strikes."""
    if "status" in options:
        _number("status", options["status"], 200, 599)
    for name in ("seconds", "share", "pieces", "changes", "place"):
        # The wait that a throttle names may be any nonsense: that is what it is for.
        if name in options and kind != "throttle":
            _number(name, options[name], 0, 10**6)
    if kind == "poison" and options.get("way", "deep") not in WAYS:
        raise ValueError(f"There is no way {options['way']!r} to poison; there are {', '.join(WAYS)}.")
    if kind == "forged_id_token" and options.get("way") not in FORGERIES:
        raise ValueError(f"There is no way {options.get('way')!r} to forge an ID token; see sandbox/forgeries.py.")
    if any(letter in str(options.get("header", "")) for letter in "\r\n\0"):
        raise ValueError("A header is one line.")


def _number(name: str, value: Any, least: float, most: float) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not least <= number <= most:
        raise ValueError(f"{name} must be a number from {least} to {most}, not {str(value)[:40]!r}.")
    return number
