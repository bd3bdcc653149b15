"""What may have reached Microsoft already: never called unsent before somebody has looked, and never sent once more."""

from typing import Any

import msgspec
import pytest
from django.utils import timezone

from accounts.models import User
from audit.record import WORKER
from defender.client import DefenderClient
from incidents.models import Delivery
from sandbox.cast import Tenant as TheirTenant
from sandbox.world import World
from tenants import proof, scope, tokens
from tenants.models import Grant, Tenant
from tests.conftest import as_worker
from tests.incidents.deciding import carry, comments, decide, intents, patches, remote, states, the_intent, wait_over

pytestmark = pytest.mark.django_db


def killed(monkeypatch: pytest.MonkeyPatch, contoso: Tenant, *, after: bool) -> None:
    """A worker dies around its write, and its claim runs out."""
    whole = DefenderClient.update_incident

    def dies(*args: Any, **more: Any) -> bytes:
        if after:
            whole(*args, **more)
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(DefenderClient, "update_incident", dies)
        with pytest.raises(SystemExit):
            carry()
    with scope.operations():
        Delivery.objects.filter(tenant=contoso).update(lease_until=None)


def lose(what: str, world: World, theirs: TheirTenant, alice: User, contoso: Tenant) -> None:
    """The person's role, or the tenant's consent to writing."""
    if what == "the person's role":
        Grant.objects.filter(user=alice).delete()
        return
    world.approve(theirs, roles=["Incident.Read.All"])
    tokens.forget_everything()
    with as_worker(), scope.operations():
        tenant = Tenant.objects.get(pk=contoso.pk)
    with as_worker():
        proof.prove(tenant=tenant, by=WORKER, now=timezone.now())


LOST = ["the person's role", "the tenant's role"]


@pytest.mark.parametrize("what", LOST)
def test_what_a_killed_worker_had_sent_is_found_although_the_right_to_it_is_gone(
    world: World,
    theirs: TheirTenant,
    contoso: Tenant,
    alice: User,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    decide(alice, ("contoso", number), status="resolved", comment="Once.")
    killed(monkeypatch, contoso, after=True)
    lose(what, world, theirs, alice, contoso)
    carry()
    assert states(contoso) == [("status", "confirmed"), ("comment", "confirmed")]
    assert patches(world) == 1


@pytest.mark.parametrize("what", LOST)
def test_what_a_killed_worker_had_not_sent_is_not_sent_once_the_right_to_it_is_gone(
    world: World,
    theirs: TheirTenant,
    contoso: Tenant,
    alice: User,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    decide(alice, ("contoso", number), status="resolved", comment="Once.")
    killed(monkeypatch, contoso, after=False)
    lose(what, world, theirs, alice, contoso)
    carry()
    assert states(contoso) == [("status", "refused"), ("comment", "refused")]
    assert {one.code for one in intents(contoso)} == {"not-allowed" if what == LOST[0] else "role-missing"}
    assert patches(world) == 0


def test_a_comment_that_microsoft_took_and_does_not_show_is_told_and_not_sent_again(
    world: World, theirs: TheirTenant, contoso: Tenant, alice: User, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as one that was cut: its reference, which stands at the end, is gone."""
    whole = DefenderClient.update_incident

    def cuts(client: DefenderClient, incident: int, body: dict[str, Any]) -> bytes:
        whole(client, incident, body)
        world.change_incident(theirs, incident, {"comments": [{"comment": "A long", "createdBy": "Portal"}]})
        return msgspec.json.encode(remote(theirs, incident))

    monkeypatch.setattr(DefenderClient, "update_incident", cuts)
    decide(alice, ("contoso", number), comment="A long story.")
    for _ in range(4):
        carry()
        wait_over(contoso)
    found = the_intent(contoso, "comment")
    assert (found.state, found.code) == ("exceeded", "not-shown")
    assert (patches(world), comments(theirs, number)) == (1, ["A long"])
