"""The arithmetic of the benchmark."""

import os

from tests.bench.measuring import Cost, Goal, cpu_of, measured, middle, ratios


def test_each_round_has_its_own_ratio_and_a_cost_too_small_to_measure_does_not_divide_by_nought() -> None:
    assert ratios([10, 30, 90], [10, 10, 10]) == [1, 3, 9]
    assert ratios([1], [0]) == [1e6]


def test_work_costs_something_and_is_shared_out() -> None:
    cost = measured(lambda: sum(range(200_000)))
    assert cost.client > 0 and cost.server == 0
    assert Cost(10, 20, 30).per(10) == Cost(1, 2, 3)
    assert Cost(10, 20).cpu == 30


def test_the_middle_of_costs_is_the_median_of_each_part() -> None:
    assert middle([Cost(1, 9, 5), Cost(2, 8, 6), Cost(9, 1, 4)]) == Cost(2, 8, 5)


def test_a_goal_is_the_median_over_rounds_and_says_whether_it_is_met() -> None:
    assert Goal("x", [1, 3, 9], 3).is_met and not Goal("x", [1, 2.9, 9], 3).is_met
    assert Goal("x", [1.1], 1.15, at_most=True).is_met
    assert str(Goal("x", [2.9], 3)) == "MISSED x: 2.9 (≥ 3)"
    assert str(Goal("x", [1, 5, 3], 3)) == "met    x: 3 (≥ 3, rounds 1 to 5)"


def test_the_cpu_of_a_process_that_is_gone_is_nothing() -> None:
    assert cpu_of(os.getpid()) >= 0
    assert cpu_of(2**22 + 1) == 0
