"""``python -m tests.crash --times 20``: a worker is killed so often at every step of a pass; nothing may be lost.

The same happens at every step of a delivery; nothing may be lost or doubled. Lanes run side by side, each with a
database of its own, since most of a round is waiting for a lease to end. Ends with status 0 only if every round held;
the figures are the last line and in ``.local/crash-points.json``.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.crash import child

REPORT = Path(".local/crash-points.json")
LANES = 2


def main() -> int:
    """Run the rounds; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="kills at each point")
    parser.add_argument("--seed", type=int, default=20262)
    parser.add_argument("--lane", choices=("passes", "deliveries"), help="run here and print the figures as JSON")
    asked = parser.parse_args()
    if asked.lane:
        print(json.dumps(run_lane(asked.lane, asked.times, asked.seed)))
        return 0
    print(f"{asked.times} kills at each point, seed {asked.seed}", flush=True)
    began = time.monotonic()
    result = merged(run_lanes(asked.times, asked.seed)) | {"seed": asked.seed}
    result["seconds"] = round(time.monotonic() - began, 1)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(result, indent=1) + "\n")
    return report(result)


def run_lane(what: str, times: int, seed: int) -> dict[str, Any]:
    """So many kills at each point in this process; what was seen, and under ``wrong`` what did not hold."""
    # Not at the top, since the processes that die need none of this and are to start quickly.
    from tests.own_database import own_database

    with own_database():
        from tests.crash.deliveries import deliveries
        from tests.crash.rounds import rounds

        made: Any = rounds if what == "passes" else deliveries
        with made(seed) as trial:
            try:
                trial.all_points(times)
                wrong = ""
            except AssertionError as found:
                wrong = str(found)
    return {"wrong": wrong, **vars(trial.figures)}


def run_lanes(times: int, seed: int) -> list[dict[str, Any]]:
    """The lanes as processes of their own; each has a part of the kills and a seed of its own. One carries changes."""
    parts = [times // LANES + (lane < times % LANES) for lane in range(LANES)]
    wanted = [("passes", part) for part in parts if part] + [("deliveries", times)]
    command = [sys.executable, "-m", "tests.crash", "--lane"]
    lanes = [
        subprocess.Popen(
            [*command, what, "--times", str(part), "--seed", str(seed + lane)], stdout=subprocess.PIPE, text=True
        )
        for lane, (what, part) in enumerate(wanted)
    ]
    return [_figures_of(lane) for lane in lanes]


def _figures_of(lane: subprocess.Popen[str]) -> dict[str, Any]:
    lines = lane.communicate()[0].strip().splitlines()
    if lane.returncode or not lines:
        return {"wrong": f"a lane ended without figures, with status {lane.returncode}"}
    figures: dict[str, Any] = json.loads(lines[-1])
    return figures


def merged(lanes: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of all lanes as one."""
    wrong = " ".join(lane["wrong"] for lane in lanes if lane["wrong"])
    counted = ("rounds", "not_reached", "tenants_compared")
    kills: dict[str, int] = {}
    for lane in lanes:
        for point, count in lane.get("kills", {}).items():
            kills[point] = kills.get(point, 0) + count
    longest = max((lane.get("longest_seconds", 0.0) for lane in lanes), default=0.0)
    sums = {name: sum(lane.get(name, 0) for lane in lanes) for name in counted}
    return {"ok": not wrong, "wrong": wrong, **sums, "kills": kills, "longest_seconds": longest}


def report(result: dict[str, Any]) -> int:
    """Print what did not hold and the line of figures; the exit status."""
    if result["wrong"]:
        print(f"WRONG: {result['wrong']}")
    print(
        f"seed {result['seed']}: {result['rounds']} rounds, {sum(result['kills'].values())} workers killed, "
        f"{result['not_reached']} ended before the point, {result['tenants_compared']} tenants compared, "
        f"longest recovery {result['longest_seconds']} s, {result['seconds']:.0f} s: "
        f"{'ok' if result['ok'] else 'WRONG'}"
    )
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["child"]:
        child.work()
    else:
        sys.exit(main())
