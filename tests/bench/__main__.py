"""``python -m tests.bench``: what the sync and the pages cost, beside other ways of doing the same, in one run.

Rounds are interleaved and a goal is the median of the rounds' ratios, because these machines are noisy. The status is
0 where everything held the same and unchanged pages wrote nothing; goals are only told. The last line has the figures,
``.local/bench.json`` the same. Reads run as a process of their own, since the web's role and a database of a million
incidents are theirs (``tests.bench.reads``); SIZE says how many.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import Any

from demo.ports import free_port
from tests.bench import stage
from tests.repository.tree import ROOT

LONGEST, LONGEST_QUICK = 480, 120  # seconds; a run that takes longer is broken off
PARTS = ("ingest", "overlap", "tokens", "idle")
READS = "reads"


def main() -> int:
    """0 if all methods agree."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--only", choices=(*PARTS, READS))
    parser.add_argument("--seed", type=int)
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    rounds = 2 if given.quick else given.rounds
    if given.only != READS:
        sync([given.only] if given.only else list(PARTS), seed=seed, rounds=rounds, is_quick=given.quick)
    return 0 if given.only in PARTS else reads(rounds)


def reads(rounds: int) -> int:
    """The pages; its status."""
    command = [sys.executable, "-m", "tests.bench.reads", "--rounds", str(rounds)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def sync(parts: list[str], *, seed: int, rounds: int, is_quick: bool) -> None:
    """Storing and polling. Raises Wrong where two ways do not agree."""
    port = free_port(19700)
    say(f"seed {seed}, {rounds} rounds")
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LONGEST_QUICK if is_quick else LONGEST)
    stage.prepare(f"http://127.0.0.1:{port}")
    try:
        goals, figures = measure(parts, seed=seed, rounds=rounds, port=port)
    finally:
        signal.alarm(0)
        stage.release()
    for goal in goals:
        sys.stdout.write(f"{goal}\n")
    whole: dict[str, Any] = {"seed": seed, "rounds": rounds, "cores": os.cpu_count(), "figures": figures}
    whole["goals"] = [
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
    (ROOT / ".local" / "bench.json").write_text(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    line = ", ".join(f"{name} {short(value)}" for name, value in figures.items())
    sys.stdout.write(f"seed {seed}, {sum(goal.is_met for goal in goals)} of {len(goals)} goals met: {line}\n")
    sys.stdout.flush()


def measure(parts: list[str], *, seed: int, rounds: int, port: int) -> tuple[list[Any], dict[str, Any]]:
    """The parts asked for, one after the other."""
    from tests.bench import idle, ingest, overlap, tokens

    runs: dict[str, Any] = {
        "ingest": lambda: ingest.run(seed=seed, rounds=rounds, say=say),
        "overlap": lambda: overlap.run(seed=seed, rounds=rounds, say=say),
        "tokens": lambda: tokens.run(rounds=rounds, say=say),
        "idle": lambda: idle.run(rounds=rounds, port=port, say=say),
    }
    goals: list[Any] = []
    figures: dict[str, Any] = {}
    for part in parts:
        more, told = runs[part]()
        goals += more
        figures |= told
    return goals, figures


def short(value: Any) -> str:
    """A figure for the last line; the parts of a cost by slashes."""
    return "/".join(map(str, value.values())) if isinstance(value, dict) else str(value)


def too_long(*_: Any) -> None:
    """The alarm has rung."""
    raise TimeoutError("The benchmark took longer than it may.")


def say(line: str) -> None:
    """Progress on standard error."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
