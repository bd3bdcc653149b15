"""The second witness of a change, the order of changes, and a backup that is older than Microsoft."""

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.models import User
from accounts.roles import Role
from incidents.models import Intent
from sandbox.cast import Tenant as TheirTenant
from sandbox.world import World
from tenants import scope
from tenants.models import Tenant
from tests.cast import make_person
from tests.incidents.deciding import (
    carry,
    comments,
    decide,
    intents,
    patches,
    remote,
    states,
    the_intent,
    wait_over,
)
from tests.incidents.synced import cloud, ours, sync

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(settings: Any) -> Iterator[World]:
    with cloud(World(seed=7, tenants=["Contoso", "Fabrikam"], incidents=(12, 12), quotas=False), settings) as world:
        yield world


@pytest.fixture
def theirs(world: World) -> TheirTenant:
    return world.tenant("Contoso")


@pytest.fixture
def contoso(world: World, theirs: TheirTenant) -> Tenant:
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
def number(theirs: TheirTenant, contoso: Tenant) -> int:
    """An incident that is open and was not merged."""
    return next(n for n in theirs.book.ids() if remote(theirs, n)["status"] == "Active")


def test_f56_what_no_sync_shows_is_not_called_confirmed_and_is_looked_up_in_the_end(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    decide(alice, ("contoso", number), status="resolved")
    carry()
    world.faults.add(theirs.tenant_id, {"kind": "late", "seconds": 3600})
    sync(contoso)
    assert the_intent(contoso).state == "sent"
    wait_over(contoso)
    carry()
    assert (the_intent(contoso).state, patches(world)) == ("confirmed", 1)


def test_f56_what_microsoft_accepted_and_does_not_show_is_told_and_not_sent_again(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    decide(alice, ("contoso", number), status="resolved")
    carry()
    world.change_incident(theirs, number, {"status": "Active"})
    wait_over(contoso)
    carry()
    found = the_intent(contoso)
    assert (found.state, found.code, found.remote, patches(world)) == ("conflict", "not-shown", "active", 1)


def test_what_somebody_changes_after_our_change_has_arrived_does_not_put_it_in_doubt(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    decide(alice, ("contoso", number), status="resolved")
    carry()
    world.change_incident(theirs, number, {"status": "InProgress"})
    sync(contoso)
    found = the_intent(contoso)
    assert (found.state, found.detail) == ("confirmed", "It was changed again since, by another hand.")


def test_decisions_about_one_incident_leave_in_the_order_in_which_they_were_made(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    world.faults.add(theirs.tenant_id, {"kind": "status", "status": 503, "on": ["patch"], "count": 1})
    decide(alice, ("contoso", number), status="in-progress", key="first")
    decide(alice, ("contoso", number), status="resolved", key="second")
    carry()
    assert states(contoso) == [("status", "uncertain"), ("status", "queued")], "the later one waits"
    wait_over(contoso)
    carry()
    assert states(contoso) == [("status", "sent"), ("status", "sent")]
    assert remote(theirs, number)["status"] == "Resolved"


def test_sync_f43_after_an_older_backup_came_back_nothing_is_done_twice_and_the_last_word_stands(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    decide(alice, ("contoso", number), status="in-progress", comment="First.", key="first")
    decide(alice, ("contoso", number), status="resolved", comment="Second.", key="second")
    with scope.tenant(contoso.pk):
        backup = list(Intent.objects.values())
    carry()
    sync(contoso)
    with scope.tenant(contoso.pk):
        for row in backup:
            Intent.objects.filter(pk=row["id"]).update(**row)
    wait_over(contoso)
    carry()
    assert {state for _, state in states(contoso)} == {"confirmed"}
    assert (patches(world), len(comments(theirs, number))) == (2, 2)
    assert remote(theirs, number)["status"] == "Resolved"


def test_what_was_sent_long_ago_is_not_laid_over_what_came_after_it(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int
) -> None:
    """The first is sent and has no witness yet; the second stood there already, so nothing was sent for it."""
    decide(alice, ("contoso", number), status="resolved", key="first")
    carry()
    decide(alice, ("contoso", number), status="in-progress", key="second")
    world.faults.add(theirs.tenant_id, {"kind": "cut", "on": ["patch"], "count": 1})
    carry()
    wait_over(contoso)
    carry()
    assert [state for _, state in states(contoso)][1] == "confirmed"
    decide(alice, ("contoso", number), status="resolved", key="third")
    assert intents(contoso)[-1].seen == "in-progress"
