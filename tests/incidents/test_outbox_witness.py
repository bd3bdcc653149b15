"""The second witness of a change, the order of changes, and a backup that is older than Microsoft."""

import pytest

from accounts.models import User
from incidents.models import Intent
from sandbox.cast import Tenant as TheirTenant
from sandbox.world import World
from tenants import scope
from tenants.models import Tenant
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
from tests.incidents.synced import sync

pytestmark = pytest.mark.django_db


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
