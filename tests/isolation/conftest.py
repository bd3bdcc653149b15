"""The world of the isolation proof: three customers with rows everywhere."""

import pytest

from tests.cast import Cast, make_cast
from tests.isolation.rows import fill
from tests.isolation.tally import tally


@pytest.fixture
def full(db: None) -> Cast:
    """The cast, with rows of every tenant in every tenant-owned table."""
    cast = make_cast()
    fill(cast)
    return cast


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where tests run in several processes, each leaves what it has counted."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["isolation"] = dict(tally)
