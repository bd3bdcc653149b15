"""The sandbox is held to what Microsoft documents and to what was recorded from the real service."""

from collections.abc import Iterator

import pytest

from sandbox.world import World
from tests.contract.shapes import Json
from tests.sandbox.cloud import Cloud, cloud_of


@pytest.fixture(scope="session")
def whole() -> Iterator[Cloud]:
    """A world that tests only read."""
    with cloud_of(World(seed=7, tenants=25, quotas=False)) as running:
        yield running


@pytest.fixture(scope="session")
def everything(whole: Cloud) -> list[Json]:
    """The incidents of the tenants with the oddities, as they came over the wire."""
    names = ("contoso", "fabrikam", "tailspintoys", "proseware", "relecloud")
    return [incident for name in names for incident in whole.incidents(name)]


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A small world that a test may change."""
    with cloud_of(World(seed=7, tenants=18, incidents=(20, 30))) as running:
        yield running
