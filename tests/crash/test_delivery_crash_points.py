"""A worker is killed at every step of a delivery. `make crash-points` does the same more often."""

import pytest

from incidents.models import Intent
from tenants import scope
from tests.crash.deliveries import deliveries
from tests.crash.points import BY_NAME, DELIVERY_POINTS


def test_sync_f24_sync_f40_a_worker_killed_at_any_step_of_a_delivery_doubles_nothing_and_loses_nothing(
    committed: None,
) -> None:
    with deliveries(seed=7) as trial:
        figures = trial.all_points(1)
    assert figures.rounds == len(DELIVERY_POINTS)
    assert sum(figures.kills.values()) >= len(DELIVERY_POINTS) - 2, "points that are never reached prove nothing"


def test_the_count_finds_a_doubled_comment_and_a_change_that_was_forgotten(committed: None) -> None:
    with deliveries(seed=8) as trial:
        trial.round(BY_NAME["after-delivery-claim"])
        tenant, theirs = trial.pairs[0]
        with scope.tenant(tenant.pk):
            number = Intent.objects.exclude(mark="").values_list("number", flat=True)[0]
        kept = theirs.book.truth()[number]["comments"]
        for comments in ([*kept, kept[-1]], kept[:-1]):
            trial.world.change_incident(theirs, number, {"comments": comments})
            with pytest.raises(AssertionError, match="a comment stands there"):
                trial.check()
        trial.world.change_incident(theirs, number, {"comments": kept, "status": "Unknown"})
        with pytest.raises(AssertionError, match="not "):
            trial.check()
