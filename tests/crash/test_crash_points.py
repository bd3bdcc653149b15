"""A worker is killed at every step of a pass. `make crash-points` does the same more often."""

import pytest

from incidents.models import IncidentRaw
from tenants import scope
from tenants.models import SyncState
from tests.crash.points import BY_NAME, POINTS
from tests.crash.rounds import rounds


def test_sync_f24_a_worker_killed_at_any_step_loses_nothing_and_the_next_one_goes_on(committed: None) -> None:
    """Twice at each point: once in a first sync, once in a poll."""
    with rounds(seed=7) as trial:
        figures = trial.all_points(2)
    assert figures.rounds == 2 * len(POINTS)
    assert min(figures.kills[point.name] for point in POINTS) >= 1, "a point that is never reached proves nothing"


def test_the_comparison_finds_a_lost_incident_and_a_watermark_that_promises_too_much(committed: None) -> None:
    with rounds(seed=8) as trial:
        trial.round(BY_NAME["after-claim"], first_sync=True)
        tenant, theirs = trial.pairs[0]
        changed = trial.world.change_incident(theirs, theirs.book.ids()[0], {"severity": "Low"})
        with scope.operations():
            state = SyncState.objects.filter(tenant=tenant)
            state.update(watermark_text=changed["lastUpdateTime"])
        with pytest.raises(AssertionError, match="has an old"):
            trial.check_watermarks()
        with scope.tenant(tenant.pk):
            IncidentRaw.objects.filter(incident__number=theirs.book.ids()[0]).delete()
        with pytest.raises(AssertionError, match="but not"):
            trial.check_watermarks()
        with pytest.raises(AssertionError):
            trial.check_everything()
