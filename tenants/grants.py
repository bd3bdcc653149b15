"""Giving people roles over tenants and taking them back: the access page and the command line both come here.

Nobody gives a role to themselves: the functions refuse it with a sentence, and a policy of row-level security refuses
it in the database, whatever else is wrong. Memberships follow by triggers, so a change holds from the next request on.
"""

from dataclasses import dataclass

from django.db import transaction

from accounts.actor import person_name
from accounts.models import User
from accounts.roles import Role
from audit.record import Actor, Event, record
from tenants.models import Grant, Tenant, TenantGroup, TenantGroupMember

ALL_TENANTS = "All tenants"
NEVER_TO_SELF = "Nobody gives a role to themselves: ask another member of staff."


class Refused(Exception):
    """The change cannot be made; the text is a sentence for the person who asked."""


@dataclass(frozen=True, slots=True)
class Access:
    """One reason why a person sees a tenant: a grant over it, or over a group that it is in."""

    grant: Grant
    person: User
    role: str
    through: str

    @property
    def is_direct(self) -> bool:
        """Whether the grant is over this tenant alone, and can be changed on its page."""
        return self.grant.tenant_id is not None


def who_sees(tenant: Tenant) -> list[Access]:
    """Everybody who may see the tenant, once for each grant that lets them. For staff: others see their own grants."""
    groups = TenantGroupMember.objects.filter(tenant=tenant).values("group_id")
    reaching = (
        Grant.objects.filter(tenant=tenant)
        | Grant.objects.filter(group__in=groups)
        | Grant.objects.filter(group__covers_all=True)
    )
    found = reaching.select_related("user", "group").order_by("user__display_name", "user_id", "role", "pk").distinct()
    return [Access(g, g.user, g.get_role_display(), g.group.name if g.group else "this tenant") for g in found]


def people_for(giver: User) -> list[User]:
    """To whom a member of staff may give a role: everybody who may sign in, but themselves."""
    return list(User.objects.filter(is_active=True).exclude(pk=giver.pk).order_by("display_name"))


def give(*, user: User, role: Role, tenant: Tenant, giver: User, by: Actor) -> bool:
    """Give a role over one tenant. Returns False where the person had it. Raises Refused."""
    if user == giver:
        raise Refused(NEVER_TO_SELF)
    with transaction.atomic():
        _, is_new = Grant.objects.get_or_create(
            user=user, role=role, tenant=tenant, group=None, defaults={"granted_by": by.name}
        )
        if is_new:
            _record(by, "grant role", tenant, user, role=role.label)
    return is_new


def change(*, grant: Grant, role: Role, giver: User, by: Actor) -> None:
    """Another role in place of the one granted. Raises Refused."""
    if grant.user == giver:
        raise Refused(NEVER_TO_SELF)
    tenant = _of_one_tenant(grant)
    with transaction.atomic():
        before = grant.get_role_display()
        if Grant.objects.filter(user=grant.user, tenant=tenant, role=role).exclude(pk=grant.pk).exists():
            raise Refused(f"{grant.user.display_name} is {role.label.lower()} here already: remove the other role.")
        grant.role, grant.granted_by = role, by.name[:200]
        grant.save(update_fields=["role", "granted_by"])
        _record(by, "change role", tenant, grant.user, role=role.label, before=before)


def take_back(*, grant: Grant, by: Actor) -> None:
    """Remove a role over one tenant; also one's own."""
    tenant = _of_one_tenant(grant)
    with transaction.atomic():
        _record(by, "take role back", tenant, grant.user, role=grant.get_role_display())
        grant.delete()


def group_of_all() -> TenantGroup:
    """The group that covers every tenant, also those that come later; made on first use."""
    group, _ = TenantGroup.objects.get_or_create(name=ALL_TENANTS, defaults={"covers_all": True})
    return group


def grant_everywhere(*, user: User, role: Role, by: Actor) -> bool:
    """Give a role over every tenant. Returns False where the person had it. For the command line, in a scope."""
    _, is_new = Grant.objects.get_or_create(
        user=user, role=role, group=group_of_all(), tenant=None, defaults={"granted_by": by.name}
    )
    if is_new:
        details = {"role": role.value, "over": ALL_TENANTS}
        record(Event(by=by, action="grant role", subject=str(user), details=details))
    return is_new


def reaches(group: TenantGroup, user: User) -> bool:
    """Whether the person has a role over the group, so that filling it would give them access."""
    return bool(group.pk) and Grant.objects.filter(group=group, user=user).exists()


def _of_one_tenant(grant: Grant) -> Tenant:
    if grant.tenant is None:
        raise Refused("This role is over a group: change it in the administration.")
    return grant.tenant


def _record(by: Actor, action: str, tenant: Tenant, user: User, **details: str) -> None:
    record(Event(by=by, action=action, tenant=tenant.entra_id, subject=person_name(user), details=details))
