"""What the tests of the client share: a small Microsoft on loopback and a transport to it."""

from collections.abc import Iterator

import pytest

from defender.transport import Transport
from tests.defender.microsoft import Microsoft, microsoft


@pytest.fixture
def ms() -> Iterator[Microsoft]:
    with microsoft() as small:
        yield small


@pytest.fixture
def transport(ms: Microsoft) -> Iterator[Transport]:
    transport = Transport(ms.cloud, timeout=(2, 5), deadline=8)
    yield transport
    transport.close()
