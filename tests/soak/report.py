"""What a soak has found: what must be nothing, figures, examples; as JSON, and as one line."""

import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Final

from tests.repository.tree import ROOT
from tests.soak.bugs import SHOWS_AS

SHOWN: Final = 5  # examples of each kind
# What must be nothing.
NONE_OF: Final = (
    "lost", "stale", "different", "ghosts", "not_aside", "duplicated", "foreign", "wrongly_aside", "zombie_writes",
    "self_inflicted_429s", "early_calls", "crowded", "missing_in_sweeps", "not_settled",
)  # fmt: skip


@dataclass
class Report:
    """What holds, what does not, and the figures."""

    seed: int
    bug: str
    counts: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    def note(self, what: str, found: list[str] | int) -> None:
        """Keep a count, and the first examples."""
        self.counts[what] = found if isinstance(found, int) else len(found)
        if not isinstance(found, int) and found:
            self.examples[what] = found[:SHOWN]

    @property
    def holds(self) -> bool:
        """Whether everything that must be nothing is nothing, and there was something to look at."""
        seen = self.figures.get("compared") and self.figures.get("quarantined")
        return bool(seen) and not any(self.counts.get(what, 1) for what in NONE_OF)

    @property
    def caught(self) -> bool:
        """Whether the seeded bug showed as what it does, not as something else that went wrong."""
        return any(self.counts.get(what) for what in SHOWS_AS[self.bug])


def told(report: Report, name: str) -> None:
    """What was found, then the figures in one line."""
    target = ROOT / ".local" / name
    verdicts = {"bug": report.bug, "caught": report.caught} if report.bug else {"holds": report.holds}
    found = {"counts": report.counts, "figures": report.figures, "examples": report.examples}
    target.write_text(json.dumps({"seed": report.seed} | verdicts | found, indent=2) + "\n")
    for what, examples in report.examples.items():
        say(f"{what}: {'; '.join(examples)}")
    figures = {**report.counts, **report.figures}
    verdict = "holds" if report.holds else "DOES NOT HOLD"
    if report.bug:
        verdict = f"{report.bug} {'was caught' if report.caught else 'WAS NOT CAUGHT'}"
    line = ", ".join(f"{name} {value}" for name, value in figures.items())
    sys.stdout.write(f"seed {report.seed}, {verdict}: {line}\n")


def say(line: str) -> None:
    """Progress on standard error."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stderr.flush()
