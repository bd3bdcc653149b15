"""The tenant groups of a person: those with at least one tenant that the person may see, and of those only these."""

from collections import defaultdict
from collections.abc import Mapping

from accounts.models import User
from tenants.models import TenantGroupMember
from tenants.scope import member_tenants


def groups_for(user: User) -> Mapping[str, frozenset[int]]:
    """Ids of the person's tenants by the group's name, in the order of names. One query.

    A group that covers all is left out: it is the same as no group. A group without a tenant of the person does not
    exist for them, since its name may tell of a customer.
    """
    members = TenantGroupMember.objects.filter(tenant_id__in=member_tenants(user.pk), group__covers_all=False)
    found: dict[str, set[int]] = defaultdict(set)
    for name, tenant_id in members.order_by("group__name").values_list("group__name", "tenant_id"):
        found[name].add(tenant_id)
    return {name: frozenset(tenants) for name, tenants in found.items()}
