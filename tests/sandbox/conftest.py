"""A fresh, quiet world for each test, because tests change it."""

from collections.abc import Iterator

import pytest

from sandbox.world import World
from tests.sandbox.cloud import Cloud, cloud_of


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with cloud_of(World(seed=7, tenants=18, incidents=(30, 60))) as running:
        yield running
