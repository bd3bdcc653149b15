"""CPU time of this process and of the PostgreSQL backend that serves it; medians of ratios within one run."""

import os
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

TICK = 1000 / os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int) -> float:
    """Milliseconds of CPU that a process has used so far, in steps of a clock tick (10 ms); 0 for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) * TICK


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of CPU in the client and in PostgreSQL, and bytes of write-ahead log."""

    client: float
    server: float = 0.0
    wal: float = 0.0

    @property
    def cpu(self) -> float:
        """Both together."""
        return self.client + self.server

    def per(self, things: int) -> "Cost":
        """The cost of one of so many."""
        return Cost(self.client / things, self.server / things, self.wal / things)


def measured(work: Callable[[], object], *, backend: int = 0, wal: Callable[[], int] = lambda: 0) -> Cost:
    """What one call costs. ``backend`` is the process id of the PostgreSQL backend, ``wal`` the log's position."""
    written, server, client = wal(), cpu_of(backend) if backend else 0.0, time.process_time()
    work()
    spent = 1000 * (time.process_time() - client)
    return Cost(spent, (cpu_of(backend) - server) if backend else 0.0, wal() - written)


def ratios(others: Iterable[float], ours: Iterable[float]) -> list[float]:
    """Each round's ratio, other to ours; what costs nothing that can be measured counts as a millionth."""
    return [other / max(our, 1e-6) for other, our in zip(others, ours, strict=True)]


def middle(costs: Sequence[Cost]) -> Cost:
    """The median of each part on its own."""
    parts = ([getattr(cost, name) for cost in costs] for name in ("client", "server", "wal"))
    return Cost(*map(statistics.median, parts))


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that is to be at least, or at most, so large. ``rounds`` are the figures whose median it is."""

    name: str
    rounds: Sequence[float]
    bound: float
    at_most: bool = False

    @property
    def value(self) -> float:
        """The median over the rounds."""
        return statistics.median(self.rounds)

    @property
    def is_met(self) -> bool:
        """Whether it is."""
        return self.value <= self.bound if self.at_most else self.value >= self.bound

    def __str__(self) -> str:
        sign, verdict = "≤" if self.at_most else "≥", "met" if self.is_met else "MISSED"
        spread = f", rounds {min(self.rounds):.3g} to {max(self.rounds):.3g}" if len(self.rounds) > 1 else ""
        return f"{verdict:6} {self.name}: {self.value:.3g} ({sign} {self.bound:g}{spread})"
