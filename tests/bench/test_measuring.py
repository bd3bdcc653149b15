"""The arithmetic of the benchmark."""

import os

from tests.bench.measuring import Cost, Goal, cpu_of, measured, ratio


def test_a_ratio_is_the_median_over_rounds() -> None:
    assert ratio([10, 30, 90], [10, 10, 10]) == 3


def test_work_costs_something_and_is_shared_out() -> None:
    cost = measured(lambda: sum(range(200_000)))
    assert cost.client > 0 and cost.server == 0
    assert Cost(10, 20, 30).per(10) == Cost(1, 2, 3)
    assert Cost(10, 20).cpu == 30


def test_a_goal_says_whether_it_is_met() -> None:
    assert Goal("x", 3, 3).is_met and not Goal("x", 2.9, 3).is_met
    assert Goal("x", 1.1, 1.15, at_most=True).is_met
    assert str(Goal("x", 2.9, 3)).startswith("MISSED x: 2.9 (≥ 3)")


def test_the_cpu_of_a_process_that_is_gone_is_nothing() -> None:
    assert cpu_of(os.getpid()) >= 0
    assert cpu_of(2**22 + 1) == 0
