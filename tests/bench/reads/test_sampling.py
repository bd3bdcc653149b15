"""The arithmetic of the timings."""

from tests.bench.reads.sampling import Timings, in_turns, p95, timed


def test_nineteen_in_twenty_do_not_exceed_the_95th_percentile() -> None:
    assert p95([float(n) for n in range(1, 21)]) == 19
    assert p95([5.0]) == 5
    assert p95([3.0, 1.0, 2.0]) == 3


def test_each_way_has_its_turn_in_each_round_and_the_first_round_is_not_counted() -> None:
    order: list[str] = []

    def turn(name: str, value: float) -> list[float]:
        order.append(name)
        return [value, value + 2]

    found = in_turns({"a": lambda: turn("a", len(order)), "b": lambda: turn("b", 10)}, rounds=2)
    assert order == ["a", "b"] * 3
    assert found.rounds["a"] == [[2, 4], [4, 6]]
    assert found.medians("a") == [3, 5] and found.tails("b") == [12, 12]


def test_what_is_told_is_taken_over_all_rounds() -> None:
    found = Timings()
    found.add("a", [1, 2])
    found.add("a", [3])
    assert found.told() == {"a": {"p50": 2, "p95": 3, "least": 1, "n": 3}}


def test_a_call_is_told_which_one_it_is() -> None:
    seen: list[int] = []
    assert len(timed(seen.append, 3)) == 3
    assert seen == [0, 1, 2]
