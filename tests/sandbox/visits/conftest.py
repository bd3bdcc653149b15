"""A running sandbox per test: worlds are cheap, and a test may bend its own as it likes."""

from collections.abc import Iterator

import pytest

from sandbox.server import running
from tests.sandbox.visits.visitor import Visitor, small_world


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    """A client of a quiet world with Contoso, Fabrikam and Northwind, quotas off."""
    with running(small_world(quotas=False)) as sandbox:
        guest = Visitor(sandbox)
        yield guest
        guest.http.close()


@pytest.fixture
def cast() -> Iterator[Visitor]:
    """A client of a quiet world with the whole cast of 25, few incidents each, quotas off."""
    with running(small_world(tenants=25, incidents=(5, 8), quotas=False)) as sandbox:
        guest = Visitor(sandbox)
        yield guest
        guest.http.close()
