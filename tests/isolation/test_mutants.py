"""The breaks of ISO-5 still fit the code, and what must notice them exists. Whether it does: ``make mutants``."""

import ast

import pytest

from tests.isolation.mutants import BREAKS
from tests.isolation.mutants.breaks import Break
from tests.isolation.mutants.lane import broken_text
from tests.isolation.tally import tally
from tests.repository.tree import ROOT


@pytest.mark.parametrize("broken", [pytest.param(one, id=one.name) for one in BREAKS])
def test_every_break_fits_the_code_and_names_tests_that_exist(broken: Break) -> None:
    for edit in broken.edits:
        text = broken_text(edit, (ROOT / edit.path).read_text())
        ast.parse(text)
    assert broken.killed_by
    for test in broken.killed_by:
        path, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / path).read_text(), f"{test} is gone"
    tally["mutants known"] += 1


def test_there_are_at_least_twenty_with_names_of_their_own() -> None:
    assert len({one.name for one in BREAKS}) == len(BREAKS) >= 20
