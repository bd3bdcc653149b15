"""Calls that are too many for the polls there were."""

from typing import Any

from tests.soak.pacing import crowded
from tests.soak.witness import slope


def call(tenant: str, *, operation: str = "list", query: str = "$top=100&$skip=0") -> dict[str, Any]:
    return {"tenant_id": tenant, "operation": operation, "query": query}


def test_one_pass_a_poll_and_one_at_the_edge_are_explained() -> None:
    assert crowded([call("a")] * 3, seconds=31, poll=15) == []


def test_a_pass_more_than_that_is_not() -> None:
    assert crowded([call("a")] * 4 + [call("b")], seconds=31, poll=15) == ["a: 4 passes in 31 s"]


def test_further_pages_and_other_operations_are_no_passes() -> None:
    pages = [call("a", query="$top=100&$skip=100")] * 9
    assert (
        crowded([call("a"), *pages, call("a", operation="get"), call("a", operation="get")], seconds=5, poll=15) == []
    )


def test_tenants_with_other_reasons_are_left_aside() -> None:
    assert crowded([call("a")] * 9, seconds=5, poll=15, aside={"a"}) == []


def test_the_slope_of_memory_is_that_of_the_straight_line() -> None:
    assert slope([(0.0, 100.0), (1.0, 102.0), (2.0, 104.0)]) == 2.0
    assert slope([]) == slope([(1.0, 5.0)]) == 0.0
