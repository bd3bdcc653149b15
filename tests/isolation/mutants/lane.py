"""A copy of the tree in which one break after the other is made, tried and mended."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import embedded
from tests.isolation.mutants.breaks import Break, Edit
from tests.repository.tree import ROOT

LEFT_OUT = (".venv", ".local", ".git", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis")
LONGEST = 240  # seconds for the tests of one break
_RESULT = re.compile(r"^(PASSED|FAILED|ERROR) (tests/\S+?::\w+)(\[.*?\])?(?: - .*)?$", re.MULTILINE)


class DoesNotFit(Exception):
    """The text that a break replaces is not there, or stands there more than once."""


def broken_text(edit: Edit, text: str) -> str:
    """The file with the break."""
    if text.count(edit.old) != 1:
        raise DoesNotFit(f"{edit.path} holds {text.count(edit.old)} times: {edit.old}")
    return text.replace(edit.old, edit.new)


@dataclass(frozen=True, slots=True)
class Lane:
    """``place`` is the copy; ``environment`` names the servers that all lanes share."""

    place: Path
    environment: dict[str, str]

    def break_and_run(self, broken: Break) -> dict[str, Any]:
        """Make the break, run its tests, mend it. ``survived`` are the tests that did not fail."""
        before = {edit.path: (self.place / edit.path).read_text() for edit in broken.edits}
        began = time.monotonic()
        try:
            for edit in broken.edits:
                path = self.place / edit.path
                path.write_text(broken_text(edit, path.read_text()))
            _, failed = self.run(broken.killed_by, seconds=LONGEST)
        finally:
            for name, text in before.items():
                (self.place / name).write_text(text)
        survived = [test for test in broken.killed_by if test not in failed]
        return {"name": broken.name, "survived": survived, "seconds": round(time.monotonic() - began, 1)}

    def run(self, tests: Sequence[str], *, seconds: float) -> tuple[set[str], set[str]]:
        """Names of tests, with and without the case in brackets, of which some case passed, and of which some failed.

        A test that could not begin, or not end in time, has noticed nothing and counts as neither.
        """
        command = [sys.executable, "-m", "pytest", "-q", "-n0", "-rfEp", "--tb=no", "-p", "no:cacheprovider", *tests]
        passed: set[str] = set()
        failed: set[str] = set()
        try:
            done = subprocess.run(
                command,
                cwd=self.place,
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return passed, failed
        for outcome, test, case in _RESULT.findall(done.stdout):
            names = {test, f"{test}{case}"}
            if outcome == "PASSED":
                passed |= names
            elif outcome == "FAILED":
                failed |= names
        return passed, failed


@contextmanager
def lanes(count: int) -> Iterator[list[Lane]]:
    """So many copies, on servers that stay up for all of them."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        environment = _environment(Path(folder))
        yield [Lane(_copy(Path(folder) / f"lane{number}"), environment) for number in range(count)]


def _copy(place: Path) -> Path:
    shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(*LEFT_OUT))
    return place


def _environment(folder: Path) -> dict[str, str]:
    given = dict(os.environ) | {"PYTEST_DEBUG_TEMPROOT": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    given.pop("PYTEST_ADDOPTS", None)
    if not (given.get("DATABASE_URL") and given.get("REDIS_URL")):
        os.environ["EMBEDDED_FSYNC"] = "off"
        addresses = embedded.ensure(embedded.default_data_dir("test"))
        given |= {"DATABASE_URL": addresses.database_url, "REDIS_URL": addresses.redis_url}
    return given
