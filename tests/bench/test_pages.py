"""The pages that the benchmark stores."""

import json
from datetime import UTC, datetime

from tests.bench.pages import PAGE, changed, pages

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_an_ordinary_page_has_a_hundred_incidents_of_one_to_five_alerts_with_two_to_six_entities() -> None:
    (page,) = pages(7, count=1, at=NOW)
    alerts = [json.loads(item)["alerts"] for item in page]
    assert len(page) == PAGE and {len(each) for each in alerts} == {1, 2, 3, 4, 5}
    assert {len(alert["entities"]) for each in alerts for alert in each} <= {2, 3, 4, 5, 6}
    assert pages(7, count=1, at=NOW) == [page]


def test_one_in_twenty_is_changed_and_each_turn_changes_it_again() -> None:
    (page,) = pages(7, count=1, at=NOW)
    once, twice = (changed(page, share=0.05, turn=turn) for turn in (1, 2))
    assert sum(a != b for a, b in zip(page, once, strict=True)) == 5
    assert sum(a != b for a, b in zip(once, twice, strict=True)) == 5
