"""What the benchmark takes for agreement."""

import pytest

from tests.bench.agreement import Rows, Wrong, compare


def rows(*alerts: str) -> Rows:
    """One incident with these alerts."""
    return {"incident": {(1, "a")}, "alert": {(1, alert) for alert in alerts}, "evidence": set()}


def test_the_same_rows_agree() -> None:
    compare(rows("x", "y"), rows("y", "x"), of=1, who="it")


def test_a_row_that_lacks_or_differs_is_told() -> None:
    with pytest.raises(Wrong, match="it differs from ours in alert: lacks 1 of 2 rows, has 0 others"):
        compare(rows("x", "y"), rows("x"), of=1, who="it")
    with pytest.raises(Wrong, match="lacks 1 of 1 rows, has 1 others"):
        compare(rows("x"), rows("z"), of=1, who="it")


def test_two_that_lack_the_same_incident_do_not_agree() -> None:
    with pytest.raises(Wrong, match="Of 2 incidents, ours holds 1"):
        compare(rows("x"), rows("x"), of=2, who="it")
