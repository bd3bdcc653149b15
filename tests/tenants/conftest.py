"""What the tests of the connection share: a small Microsoft on loopback that the portal is pointed at, and the cast."""

from collections.abc import Iterator
from typing import Any

import pytest

from tenants import tokens
from tests.cast import Cast, make_cast
from tests.defender.microsoft import PARTNER_APP, SECRET, Microsoft, microsoft


@pytest.fixture
def entra(settings: Any) -> Iterator[Microsoft]:
    """Microsoft's stand-in: discovery, tokens and incidents; the portal's pool, source and tokens are fresh."""
    with microsoft() as small:
        settings.SANDBOX_URLS = dict.fromkeys(("login", "xdr", "mde", "graph"), small.server.url)
        settings.ENTRA_CLIENT_ID = PARTNER_APP
        settings.ENTRA_CREDENTIAL = {"ENTRA_CLIENT_SECRET": SECRET}
        tokens.forget_everything()
        yield small
        tokens.transport().close()
        tokens.forget_everything()


@pytest.fixture
def cast(db: None) -> Cast:
    """alice triages Contoso and Fabrikam; bob may only read Contoso; charlie works for Northwind."""
    return make_cast()
