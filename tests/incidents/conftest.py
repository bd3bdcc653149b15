"""What tests of decisions begin with: a cloud, Contoso read whole, Alice who triages it, and an open incident."""

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import User
from accounts.roles import Role
from sandbox.cast import Tenant as TheirTenant
from sandbox.world import World
from tenants.models import Tenant
from tests.cast import Cast, make_person
from tests.conftest import WebClient
from tests.incidents.deciding import remote
from tests.incidents.synced import cloud, ours, sync


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    with cloud(World(seed=7, tenants=["Contoso", "Fabrikam"], incidents=(12, 12), quotas=False), settings) as world:
        yield world


@pytest.fixture
def theirs(world: World) -> TheirTenant:
    """Contoso at Microsoft."""
    return world.tenant("Contoso")


@pytest.fixture
def contoso(world: World, theirs: TheirTenant) -> Tenant:
    """Ours, with every incident but the merged ones active, nobody's, and without comments."""
    for number in theirs.book.ids():
        if remote(theirs, number)["status"] != "Redirected":
            world.change_incident(
                theirs, number, {"status": "Active", "assignedTo": None, "tags": ["theirs"], "comments": []}
            )
    contoso = ours(theirs)
    sync(contoso)
    return contoso


@pytest.fixture
def alice(contoso: Tenant) -> User:
    return make_person("alice", (contoso, Role.ANALYST))


@pytest.fixture
def analyst(cast: Cast, client: WebClient) -> WebClient:
    """A browser with Alice signed in, over the module's own ``cast``."""
    client.force_login(cast.alice)
    return client


@pytest.fixture
def number(theirs: TheirTenant, contoso: Tenant) -> int:
    """An incident that is open and was not merged."""
    return next(n for n in theirs.book.ids() if remote(theirs, n)["status"] == "Active")
