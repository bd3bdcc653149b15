"""Drawings: what a height, a width and the top of a scale say."""

from datetime import date, timedelta

import pytest

from incidents.charts import HEIGHT, WIDTH, mirrored, rounded_up, stacked, stepped
from incidents.dashboard_page import lasting

DAYS = [date(2026, 3, 1) + timedelta(days=n) for n in range(4)]


@pytest.mark.parametrize(
    ("n", "top"),
    [(0, 1), (1, 1), (3, 3), (7, 8), (10, 10), (11, 12), (13, 15), (130, 150), (151, 200), (9_001, 10_000)],
)
def test_a_scale_ends_at_the_next_round_number(n: int, top: int) -> None:
    assert rounded_up(n) == top


def test_no_whole_number_is_above_its_scale_and_none_far_below() -> None:
    for n in range(1, 3_000):
        assert n <= rounded_up(n) <= 2 * n
        assert isinstance(rounded_up(n), int)


def test_a_line_is_level_over_each_day_and_as_high_as_its_number() -> None:
    chart = stepped("x", "t", "d", DAYS, {"high": [0, 5, 10, 5]}, {"high": "High"})
    quarter = WIDTH // 4
    assert chart.lines[0].path == (
        f"M0 {HEIGHT}V{HEIGHT}H{quarter}V{HEIGHT // 2}H{2 * quarter}V0H{3 * quarter}V{HEIGHT // 2}H{WIDTH}"
    )
    assert chart.scale == ("10", "5", "0")
    assert [tip.text for tip in chart.tips][1] == "Mon 2 Mar: High 5"


def test_bars_go_up_for_one_and_down_for_the_other_on_one_scale() -> None:
    chart = mirrored("x", "t", "d", DAYS, [4, 0, 1, 0], [2, 0, 0, 4])
    base = HEIGHT / 2
    shapes = [(bar.key, bar.y, bar.height) for bar in chart.bars]
    assert shapes == [("up", 0, base), ("down", base, base / 2), ("up", base * 0.75, base / 4), ("down", base, base)]
    assert chart.scale == ("4", "0", "4")


def test_parts_of_a_bar_lie_side_by_side_and_empty_ones_are_left_out() -> None:
    bars = stacked("s-", [("a", 1), ("b", 0), ("c", 2)], 4)
    assert [(bar.key, bar.x, bar.width) for bar in bars] == [("s-a", 0, 25), ("s-c", 25, 50)]
    assert stacked("s-", [("a", 0)], 0) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (-5, "0 s"),
        (45.2, "45 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (12_000, "3 h 20 min"),
        (7_200, "2 h"),
        (86_400, "1 d"),
        (187_200, "2 d 4 h"),
    ],
)
def test_times_are_told_in_their_two_largest_units(seconds: float | None, words: str) -> None:
    assert lasting(seconds) == words
