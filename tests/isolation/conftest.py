"""The world of the isolation proof: three customers with rows everywhere."""

import pytest

from tests.cast import Cast, make_cast
from tests.isolation.rows import fill


@pytest.fixture
def full(db: None) -> Cast:
    """The cast, with rows of every tenant in every tenant-owned table."""
    cast = make_cast()
    fill(cast)
    return cast
