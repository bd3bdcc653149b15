"""ATT&CK techniques: names and tactics for the ids that alerts carry."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

TABLE = Path(__file__).parent / "data" / "attack_techniques.csv"


@dataclass(frozen=True, slots=True)
class Technique:
    """``name`` and ``tactics`` are blank for an id that the table does not know."""

    id: str
    name: str = ""
    tactics: str = ""


def named(ids: Iterable[str]) -> list[Technique]:
    """The techniques with these ids, in the order of the ids; unknown ones keep what was sent."""
    known = techniques()
    return [known.get(one.upper(), Technique(one)) for one in sorted(set(ids))]


@cache
def techniques() -> dict[str, Technique]:
    """Every technique of the table by its id. Read once per process."""
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return {row["id"]: Technique(row["id"], row["name"], _tactics(row["tactics"])) for row in csv.DictReader(lines)}


def _tactics(text: str) -> str:
    return ", ".join(tactic.replace("-", " ") for tactic in text.split())
