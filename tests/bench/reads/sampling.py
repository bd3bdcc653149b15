"""Timings taken in turns: every way has its turn in each round, so that what else the machine does weighs on all."""

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Turn = Callable[[], Sequence[float]]


def timed(call: Callable[[int], object], times: int) -> list[float]:
    """Milliseconds of each of so many calls; a call is told which one it is."""
    spent = []
    for number in range(times):
        began = time.perf_counter()
        call(number)
        spent.append(1000 * (time.perf_counter() - began))
    return spent


def p95(values: Sequence[float]) -> float:
    """The smallest value that at least nineteen in twenty do not exceed."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]


@dataclass(slots=True)
class Timings:
    """Milliseconds by name, round by round."""

    rounds: dict[str, list[list[float]]] = field(default_factory=dict)

    def add(self, name: str, spent: Sequence[float]) -> None:
        """One more round of one way."""
        self.rounds.setdefault(name, []).append(list(spent))

    def medians(self, name: str) -> list[float]:
        """Each round's median."""
        return [statistics.median(each) for each in self.rounds[name]]

    def tails(self, name: str) -> list[float]:
        """Each round's 95th percentile."""
        return [p95(each) for each in self.rounds[name]]

    def told(self) -> dict[str, Any]:
        """Over all rounds: the median, the 95th percentile, the least, which other work spoils least, and how many."""
        pooled = {name: [one for each in rounds for one in each] for name, rounds in self.rounds.items()}
        return {
            name: {
                "p50": round(statistics.median(all_), 3),
                "p95": round(p95(all_), 3),
                "least": round(min(all_), 3),
                "n": len(all_),
            }
            for name, all_ in pooled.items()
        }


def in_turns(ways: Mapping[str, Turn], *, rounds: int) -> Timings:
    """Each way once per round, after one round that only warms up."""
    found = Timings()
    for number in range(rounds + 1):
        for name, turn in ways.items():
            spent = turn()
            if number:
                found.add(name, spent)
    return found
