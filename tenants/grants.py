"""Giving people roles over tenants from the command line; in the portal itself staff do it in the administration."""

from accounts.models import User
from accounts.roles import Role
from audit.record import Actor, Event, record
from tenants.models import Grant, TenantGroup

ALL_TENANTS = "All tenants"


def group_of_all() -> TenantGroup:
    """The group that covers every tenant, also those that come later; made on first use."""
    group, _ = TenantGroup.objects.get_or_create(name=ALL_TENANTS, defaults={"covers_all": True})
    return group


def grant_everywhere(*, user: User, role: Role, by: Actor) -> bool:
    """Give a role over every tenant. Returns False where the person had it. Needs an open scope."""
    _, is_new = Grant.objects.get_or_create(
        user=user, role=role, group=group_of_all(), tenant=None, defaults={"granted_by": by.name}
    )
    if is_new:
        details = {"role": role.value, "over": ALL_TENANTS}
        record(Event(by=by, action="grant role", subject=str(user), details=details))
    return is_new
