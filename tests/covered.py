"""``python -m tests.covered``: all tests, with what they reach: how many lines, and every branch where it matters most.

Processes of their own (commands, workers, the browser's portal) count too, unless a test kills them. Ends with status 0
only if the tests pass, ``LINES`` percent of all lines are reached, and every branch of the ``WHOLE`` is. More words go
to pytest.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

PARTS = Path(".local/coverage").resolve()  # one file a process
REPORT = PARTS / "report.json"
LINES = 95.0
# Who may come in, who sees what, what is on record: here every branch is tried.
WHOLE = ("accounts/", "audit/", "tenants/consent.py", "tenants/access.py", "tenants/scope.py")


def main() -> int:
    """The exit status."""
    shutil.rmtree(PARTS, ignore_errors=True)
    PARTS.mkdir(parents=True)
    os.environ["COVERAGE_FILE"] = str(PARTS / "part")
    coverage = [sys.executable, "-m", "coverage"]
    tests = subprocess.run([*coverage, "run", "-m", "pytest", "-q", *sys.argv[1:]], check=False)
    for step in (["combine", "--quiet"], ["json", "--quiet", "-o", str(REPORT)]):
        subprocess.run([*coverage, *step], check=True)
    measured = json.loads(REPORT.read_text())
    lines = share(measured["totals"], "covered_lines", "num_statements")
    whole = {name: found for name, found in measured["files"].items() if name.startswith(WHOLE)}
    missed = [one for name, found in sorted(whole.items()) for one in missing(name, found)]
    for name, found in sorted(measured["files"].items(), key=lambda item: share_of(item[1]))[:10]:
        print(f"{share_of(found):6.1f} % of lines  {name}")
    for one in missed:
        print(f"not tried: {one}")
    reached = sum(found["summary"]["covered_branches"] for found in whole.values())
    branches = sum(found["summary"]["num_branches"] for found in whole.values())
    print(f"{lines:.1f} % of lines (at least {LINES:g}), {reached} of {branches} branches where all are wanted.")
    return 0 if tests.returncode == 0 and lines >= LINES and not missed else 1


def share(counts: dict[str, Any], part: str, of: str) -> float:
    """Percent."""
    return 100.0 * counts[part] / counts[of] if counts[of] else 100.0


def share_of(found: dict[str, Any]) -> float:
    """Percent of a file's lines that were reached."""
    return share(found["summary"], "covered_lines", "num_statements")


def missing(name: str, found: dict[str, Any]) -> list[str]:
    """The lines and branches of a file that nothing tried."""
    branches = [f"{name}:{start} never went on to {end}" for start, end in found["missing_branches"]]
    return branches + [f"{name}:{line}" for line in found["missing_lines"]]


if __name__ == "__main__":
    sys.exit(main())
