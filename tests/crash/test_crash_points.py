"""A worker is killed at every step of a pass. `make crash-points` does the same more often."""

import pytest

from tests.crash.points import POINTS
from tests.crash.rounds import rounds


@pytest.mark.timeout(180)
def test_sync_f24_a_worker_killed_at_any_step_loses_nothing_and_the_next_one_goes_on(committed: None) -> None:
    """Twice at each point: once in a first sync, once in a poll."""
    with rounds(seed=7) as trial:
        figures = trial.all_points(2)
    assert figures.rounds == 2 * len(POINTS)
    assert min(figures.kills[point.name] for point in POINTS) >= 1, "a point that is never reached proves nothing"
