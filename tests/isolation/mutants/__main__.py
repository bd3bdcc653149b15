"""``python -m tests.isolation.mutants``: every break, in a copy of the tree, and whether its tests notice.

Two lanes, each with a copy. Ends with status 0 only if the named tests pass as the code is and every break makes each
of its tests fail; the figures are the last line and in ``.local/mutants.json``. ``--only WORD`` picks by name.
"""

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.isolation.mutants import BREAKS
from tests.isolation.mutants.breaks import Break
from tests.isolation.mutants.lane import Lane, lanes

REPORT = Path(".local/mutants.json")
LANES = 2
# Seconds after which no further break is begun. Ours: sixty breaks take nine minutes on two idle cores.
LIMIT = 720


def main() -> int:
    """Run them; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.isolation.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="breaks whose name contains this")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds")
    asked = parser.parse_args()
    chosen = [one for one in BREAKS if asked.only in one.name]
    began = time.monotonic()
    with lanes(LANES) as ready:
        whole = unbroken(ready[0], chosen, seconds=asked.limit)
        results = [] if whole else run(ready, chosen, until=began + asked.limit)
    return report(whole, results, len(chosen), round(time.monotonic() - began))


def unbroken(lane: Lane, chosen: list[Break], *, seconds: float) -> list[str]:
    """Named tests that fail or do not exist as the code is: nothing could be learnt from them."""
    named = sorted({test for one in chosen if not one.brings_its_case for test in one.killed_by})
    passed, failed = lane.run(named, seconds=seconds)
    return [test for test in named if test in failed or test not in passed]


def run(ready: list[Lane], chosen: list[Break], *, until: float) -> list[dict[str, Any]]:
    """Each break in whichever lane is free."""
    free = list(ready)

    def one(broken: Break) -> dict[str, Any]:
        if time.monotonic() > until:
            return {"name": broken.name, "survived": list(broken.killed_by), "why": "no time was left"}
        lane = free.pop()
        try:
            result = lane.break_and_run(broken)
        finally:
            free.append(lane)
        print(f"{'survived' if result['survived'] else 'killed':9}{broken.name} ({result['seconds']} s)", flush=True)
        return result

    with ThreadPoolExecutor(len(ready)) as pool:
        return list(pool.map(one, chosen))


def report(whole: list[str], results: list[dict[str, Any]], chosen: int, seconds: int) -> int:
    """Print what did not hold and the line of figures; the exit status."""
    survivors = [result for result in results if result["survived"]]
    ok = not whole and not survivors and len(results) == chosen > 0
    REPORT.parent.mkdir(exist_ok=True)
    figures = {"ok": ok, "seconds": seconds, "mutants": chosen, "killed": len(results) - len(survivors)}
    REPORT.write_text(json.dumps({**figures, "fail_unbroken": whole, "results": results}, indent=1) + "\n")
    for test in whole:
        print(f"WRONG: {test} does not pass as the code is")
    for result in survivors:
        print(f"WRONG: {result['name']}: not noticed by {', '.join(result['survived'])} {result.get('why', '')}")
    print(f"{chosen} mutants, {figures['killed']} killed, {seconds} s: {'ok' if ok else 'WRONG'}")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
