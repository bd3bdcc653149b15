"""What the command list finds beside commands: incidents by their number, and tenants by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from accounts.models import User
from defender.cleaning import searchable
from incidents.models import Incident
from tenants.models import Tenant
from tenants.scope import member_tenants

# Ours: what fits below the box.
INCIDENTS = 8
TENANTS = 5
MOST_TEXT = 100
# A bigint's end; Microsoft documents no limit of its incidents' numbers.
LARGEST = 2**63 - 1
_NUMBER = re.compile(r"#?(\d{1,19})\b")


@dataclass(frozen=True, slots=True)
class Found:
    """Incidents of that number in the person's tenants, then tenants of that name."""

    incidents: Sequence[Incident]
    tenants: Sequence[Tenant]


def find(user: User, text: str) -> Found:
    """What "123", "contoso 123" and "contoso" mean to this person; nothing for a blank text."""
    number = _NUMBER.search(text)
    words = searchable(_NUMBER.sub(" ", text[:MOST_TEXT], count=1)).split()
    if not words and not number:
        return Found((), ())
    mine = Tenant.objects.filter(pk__in=member_tenants(user.pk)).order_by("name", "pk")
    tenants = [tenant for tenant in mine if all(word in _names(tenant) for word in words)]
    if number is None:
        return Found((), tenants[:TENANTS])
    return Found(_numbered(int(number[1]), tenants), ())


def _numbered(number: int, tenants: Sequence[Tenant]) -> Sequence[Incident]:
    if number > LARGEST:
        return ()
    named = Incident.objects.filter(tenant_id__in=[tenant.pk for tenant in tenants], number=number)
    return list(named.select_related("tenant").order_by("-updated_at")[:INCIDENTS])


def _names(tenant: Tenant) -> str:
    return searchable(f"{tenant.name} {tenant.slug}")
