"""What counts as a soak that holds, and as a bug that was caught."""

import pytest

from tests.soak.report import NONE_OF, Report


def complete(bug: str = "") -> Report:
    figures = {"compared": 100, "quarantined": 3}
    return Report(seed=1, bug=bug, counts=dict.fromkeys(NONE_OF, 0), figures=figures)


def test_a_soak_holds_that_found_nothing_wrong_and_had_something_to_compare() -> None:
    assert complete().holds


@pytest.mark.parametrize("what", NONE_OF)
def test_one_finding_or_a_comparison_that_was_not_made_is_enough_to_fail(what: str) -> None:
    found, unmade = complete(), complete()
    found.note(what, ["tenant/1"])
    del unmade.counts[what]
    assert not found.holds and not unmade.holds
    assert found.examples == {what: ["tenant/1"]}


@pytest.mark.parametrize("figure", ["compared", "quarantined"])
def test_a_soak_that_looked_at_nothing_does_not_hold(figure: str) -> None:
    report = complete()
    report.figures[figure] = 0
    assert not report.holds


@pytest.mark.parametrize(("bug", "shown"), [("no-overlap", "stale"), ("no-epoch-check", "zombie_writes")])
def test_a_bug_is_caught_by_what_it_does_and_not_by_a_soak_that_failed_otherwise(bug: str, shown: str) -> None:
    other, caught = complete(bug), complete(bug)
    for what in ("not_settled", "self_inflicted_429s"):
        other.note(what, 7)
    caught.note(shown, ["tenant/1"])
    assert [report.caught for report in (complete(bug), other, caught)] == [False, False, True]
