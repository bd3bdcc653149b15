"""``python -m tests.isolation.cost``: the queue's own statement, with row-level security and without it.

Both ways are measured in turns within one run, so that what else the machine does weighs on both. Ends with status 0
only if the medians of the ratios are within the limits; the figures are the last lines and in
``.local/isolation-cost.json``.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from tests.own_database import own_database

REPORT = Path(".local/isolation-cost.json")
# Ours: row-level security may cost the queue this much, and a search this much.
LIMITS = {"queue": 1.3, "search": 2.0}
READERS = (1, 20, 300)


def main() -> int:
    """Measure; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.isolation.cost", description=__doc__)
    parser.add_argument("--incidents", type=int, default=100_000)
    parser.add_argument("--tenants", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=120.0, help="no further round begins after this")
    asked = parser.parse_args()
    began = time.monotonic()
    with own_database():
        from tests.isolation.cost.arranged import make_estate, make_reader
        from tests.isolation.cost.rounds import QUESTIONS, compare

        estate = make_estate(asked.tenants, asked.incidents)
        readers = [make_reader(estate[:count]) for count in READERS if count <= asked.tenants]
        until = began + asked.seconds
        shares = len(readers) * len(QUESTIONS)
        figures = []
        for place, (reader, question) in enumerate((r, q) for r in readers for q in QUESTIONS):
            # Each part has its share of the time that is left, and at least three rounds.
            left = (until - time.monotonic()) / (shares - place)
            figures.append(compare(reader, question, rounds=asked.rounds, seconds=left))
    return report(figures, asked, round(time.monotonic() - began, 1))


def report(figures: list[dict[str, Any]], asked: argparse.Namespace, seconds: float) -> int:
    """Print a line per part; the exit status."""
    for figure in figures:
        figure["ratio"] = round(statistics.median(figure.pop("ratios")), 2)
        figure["limit"] = LIMITS[figure["kind"]]
        figure["ok"] = figure["ratio"] <= figure["limit"]
        print(
            f"{figure['kind']:7}{figure['question']:22}{figure['tenants']:4} tenants: {figure['with']:7.2f} ms with, "
            f"{figure['without']:7.2f} ms without, ratio {figure['ratio']:.2f} (at most {figure['limit']})"
            f"{'' if figure['ok'] else '  WRONG'}"
        )
    ok = all(figure["ok"] for figure in figures)
    whole = {"ok": ok, "seconds": seconds, "incidents": asked.incidents, "tenants": asked.tenants, "figures": figures}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(whole, indent=1) + "\n")
    print(f"{asked.incidents} incidents, {asked.tenants} tenants, {seconds:.0f} s: {'ok' if ok else 'WRONG'}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
