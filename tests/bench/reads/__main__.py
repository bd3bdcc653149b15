"""``python -m tests.bench.reads``: what the analysts' pages cost over a million incidents of a thousand tenants.

Data are made once per size and kept. Rounds are interleaved, and a goal is the median of the rounds' ratios. The status
is 0 where every page showed what the plain way finds and every count was exact; goals are only told.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.bench.reads import stage
from tests.bench.reads.data import SIZES, Size
from tests.repository.tree import ROOT

LONGEST = 720  # seconds for the measuring; before that a million incidents take two minutes, five a quarter hour
REPORT = ROOT / ".local" / "bench-reads.json"
PARTS = ("queue", "counts", "words", "values", "template", "pages", "decisions")
Found = tuple[list[Any], dict[str, Any]]


def main() -> int:
    """0 if every page was right."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.reads", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", choices=SIZES, default=os.environ.get("SIZE", "1M"))
    parser.add_argument("--part", choices=PARTS, action="append")
    given = parser.parse_args()
    size = SIZES[given.size]
    stage.prepare(size, say=say)
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LONGEST)
    try:
        goals, figures = measure(size, given.part or PARTS, rounds=given.rounds)
    finally:
        signal.alarm(0)
        stage.release()
    for goal in goals:
        sys.stdout.write(f"{goal}\n")
    REPORT.write_text(json.dumps(whole(size, given.rounds, goals, figures), indent=2, ensure_ascii=False) + "\n")
    met = sum(goal.is_met for goal in goals)
    sys.stdout.write(f"{size.name} incidents, {met} of {len(goals)} goals met, figures in {REPORT.relative_to(ROOT)}\n")
    return 0


def measure(size: Size, parts: Any, *, rounds: int) -> Found:
    """The parts asked for, one after the other."""
    from tests.bench.reads import counts, deciding, pages, people, queue, searching, twin

    administrator = people.Administrator(stage.administrator_url(f"reads_{size.name.lower()}"))
    readers = people.readers()
    runs: dict[str, Callable[[], Found]] = {
        "queue": lambda: queue.run(readers, administrator, rounds=rounds),
        "counts": lambda: counts.run(readers, administrator, rounds=rounds),
        "words": lambda: searching.words(readers, administrator, rounds=rounds),
        "values": lambda: searching.values(readers, administrator, rounds=rounds),
        "template": lambda: twin.run(readers, rounds=rounds),
        "pages": lambda: pages.run(readers, administrator, rounds=rounds),
        "decisions": lambda: deciding.run(readers, rounds=rounds),
    }
    goals: list[Any] = []
    figures: dict[str, Any] = {"settings": stage.settings_in_force(administrator.connection)}
    for part in (part for part in PARTS if part in parts):
        say(part)
        more, told = runs[part]()
        goals += more
        figures[part] = told
    administrator.close()
    return goals, figures


def whole(size: Size, rounds: int, goals: list[Any], figures: dict[str, Any]) -> dict[str, Any]:
    """All that is reported."""
    told = [
        {
            "name": goal.name,
            "value": round(goal.value, 4),
            "rounds": [round(one, 4) for one in goal.rounds],
            "bound": goal.bound,
            "at_most": goal.at_most,
            "met": goal.is_met,
        }
        for goal in goals
    ]
    load = [round(one, 1) for one in os.getloadavg()]
    return {
        "size": size.name,
        "rounds": rounds,
        "cores": os.cpu_count(),
        "load": load,
        "figures": figures,
        "goals": told,
    }


def too_long(*_: Any) -> None:
    """The alarm has rung."""
    raise TimeoutError("The benchmark of reads took longer than it may.")


def say(line: str) -> None:
    """Progress on standard error."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
