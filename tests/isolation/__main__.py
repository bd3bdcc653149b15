"""``python -m tests.isolation``: every proof of isolation but the mutants, and what was looked at.

The proofs are tests and run with all others too; here they are run alone, with the matrix of consent answers, and
counted. Ends with pytest's own status; the figures are the last lines and in ``.local/isolation.json``.
"""

import json
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.isolation.mutants import BREAKS

REPORT = Path(".local/isolation.json")
PROOFS = [
    "tests/isolation",
    "tests/accounts/test_denials.py",
    "tests/incidents/test_access.py",
    "tests/tenants/test_scope.py",
    "tests/tenants/test_membership.py",
    "tests/tenants/test_callback.py::test_exactly_one_of_720_answers_connects_c1",
]


class Counting:
    """A pytest plugin: adds up what the processes have counted, and how tests ended."""

    def __init__(self) -> None:
        self.looked_at: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object, error: object) -> None:
        """A process of pytest-xdist has ended and left its counts."""
        self.looked_at.update(getattr(node, "workeroutput", {}).get("isolation", {}))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One test's end."""
        if report.when == "call" or report.failed:
            self.outcomes[report.outcome] += 1

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Without other processes everything was counted here."""
        if not session.config.getoption("numprocesses", default=None):
            from tests.isolation.tally import tally

            self.looked_at.update(tally)


def main(arguments: list[str]) -> int:
    """Run them; pytest's status."""
    began, counting = time.monotonic(), Counting()
    status = pytest.main([*(arguments or ["--numprocesses=2", "--dist=worksteal"]), *PROOFS], plugins=[counting])
    seconds = round(time.monotonic() - began)
    found = dict(sorted(counting.looked_at.items()))
    whole = {"ok": status == 0, "seconds": seconds, "tests": dict(counting.outcomes), "looked at": found}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(whole, indent=1) + "\n")
    for name, count in found.items():
        print(f"{count:8} {name}")
    print(f"{len(BREAKS):8} mutants known (make mutants)")
    print(f"{counting.outcomes['passed']} tests passed, {counting.outcomes['failed']} failed, {seconds} s")
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
