"""``python -m tests.hostile --payloads 10000 --seed 20261``: damaged incidents through the store, and the figures.

Ends with status 0 only if every page held; the figures are the last line and in ``.local/payloads.json``.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from tests.own_database import own_database

# More than this, in MiB, and a worker that runs for weeks would be in trouble. Ours.
MAY_GROW = 100.0
REPORT = Path(".local/payloads.json")


def main() -> int:
    """Run the trial; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--payloads", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20261)
    asked = parser.parse_args()
    print(f"{asked.payloads} damaged incidents, seed {asked.seed}", flush=True)
    began = time.monotonic()
    with own_database():
        from tests.hostile.trial import Misfiled, Trial
        from tests.incidents.arranged import connected_tenant

        trial = Trial(connected_tenant(), asked.seed)
        try:
            trial.run(asked.payloads)
            wrong = ""
        except Misfiled as found:
            wrong = str(found)
    figures = trial.figures
    if not wrong and figures.grown_mib >= MAY_GROW:
        wrong = f"memory grew by {figures.grown_mib:.0f} MiB"
    seconds = round(time.monotonic() - began, 1)
    result = {"ok": not wrong, "wrong": wrong, "seconds": seconds, **vars(figures)}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(result, indent=1) + "\n")
    if wrong:
        print(f"WRONG: {wrong}")
    print(
        f"seed {figures.seed}: {figures.payloads} damaged in {figures.pages} pages, "
        f"{figures.neighbours} sound neighbours, {figures.read} read, {figures.aside} put aside, "
        f"memory +{figures.grown_mib:.0f} MiB (peak {figures.peak_mib:.0f}), "
        f"{seconds:.0f} s: {'ok' if not wrong else 'WRONG'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
