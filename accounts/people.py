"""From a proved identity to a person of the portal: who may come in, and what Entra ID's app roles give them."""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from accounts.models import User
from accounts.refusals import Refused
from audit.record import Actor, Event, record
from defender.id_token import Identity

# App roles of the sign-in registration. Grants over tenants stay in the portal.
ACCESS_ROLE = "Portal.Access"
STAFF_ROLE = "Portal.Staff"


@dataclass(frozen=True, slots=True)
class Rule:
    """What settings demand: which guests are let in, and what counts as proof of a second factor.

    ``second_factor`` is an authentication context (c1 …), "amr", or "policy": Entra ID's policies alone decide.
    """

    guests: frozenset[UUID]
    second_factor: str


def arrive(*, identity: Identity, rule: Rule, by: Actor) -> User:
    """The person, made at their first sign-in and kept up to date at each. Raises Refused.

    People are known by (tenant, object id) and by nothing else: an address or a name may pass to somebody else.
    """
    _check(identity, rule)
    with transaction.atomic():
        user, is_new = User.objects.get_or_create(
            tid=identity.tenant_id, oid=identity.object_id, defaults={"display_name": identity.name}
        )
        if not user.is_active:
            raise Refused("switched-off", who=named(identity))
        if is_new:
            record(Event(by=by, action="person appears", subject=named(identity)))
        _update(user, identity, by)
    return user


def named(identity: Identity) -> str:
    """A proved identity for the audit log."""
    return f"{identity.name[:150]} ({identity.object_id})"


def _check(identity: Identity, rule: Rule) -> None:
    if identity.is_guest and identity.object_id not in rule.guests:
        raise Refused("guest", who=named(identity))
    if not _used_second_factor(identity, rule.second_factor):
        raise Refused("second-factor", who=named(identity))
    if ACCESS_ROLE not in identity.roles:
        raise Refused("no-role", who=named(identity))


def _used_second_factor(identity: Identity, demanded: str) -> bool:
    if demanded == "policy":
        return True
    return "mfa" in identity.methods if demanded == "amr" else demanded in identity.contexts


def _update(user: User, identity: Identity, by: Actor) -> None:
    is_staff = STAFF_ROLE in identity.roles
    if user.is_staff != is_staff:
        details = {"staff": is_staff, "because": "app roles in Entra ID"}
        record(Event(by=by, action="role changed", subject=named(identity), details=details))
    if (user.display_name, user.is_staff) != (identity.name, is_staff) or user.has_usable_password():
        user.display_name, user.is_staff = identity.name, is_staff
        user.set_unusable_password()
        user.save(update_fields=["display_name", "is_staff", "password"])
