"""The sandbox in Microsoft's place for tests of the sign-in; quick passwords for tests that count tries."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from pytest_django import Settings

from accounts import entra
from accounts.models import User
from sandbox.server import Running, running
from sandbox.world import World
from tests.accounts.door import Visitor
from tests.cast import PASSWORD


@pytest.fixture(scope="module")
def microsoft() -> Iterator[Running]:
    """A quiet world that answers on loopback."""
    with running(World(7, tenants=1, pace=0, incidents=(1, 2), quotas=False)) as sandbox:
        yield sandbox


@pytest.fixture
def visitor(db: None, microsoft: Running, settings: Any) -> Iterator[Visitor]:
    """A browser whose portal takes the sandbox for Microsoft."""
    settings.SANDBOX_URLS = dict.fromkeys(("login", "xdr", "mde", "graph"), microsoft.url)
    entra.forget_everything()
    guest = Visitor(microsoft)
    yield guest
    guest.microsoft.close()
    microsoft.world.faults.clear()
    microsoft.world.home.sends_amr = False
    entra.forget_everything()


@pytest.fixture
def quick_passwords(settings: Settings) -> Callable[[], None]:
    """Call it when the people are there: their passwords stay, hashed so that a try takes no time."""
    hashers = "django.contrib.auth.hashers."
    settings.PASSWORD_HASHERS = [f"{hashers}MD5PasswordHasher", f"{hashers}Argon2PasswordHasher"]

    def rehash() -> None:
        User.objects.update(password=make_password(PASSWORD))

    return rehash
