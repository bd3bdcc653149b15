"""Who may be assigned, and how they are written at Microsoft.

An incident can be assigned to whoever may triage its tenant and has an address: one for all tenants, or another in one
tenant. Microsoft takes any text; so staff set the addresses, and nobody types one where work is done.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction

from accounts.models import User
from audit.record import Actor, Event, record
from defender.cleaning import clean_text
from incidents.models import Assignee, TenantAssignee
from tenants.models import Tenant

# RFC 5321: 64 characters before the at sign, 255 after it.
LONGEST: Final = 320

_ASSIGNABLE: Final = "SELECT tenant_id, user_id, display_name, address FROM incidents_assignable(%s)"


class BadAddress(ValueError):
    """The address cannot be used; the text is a sentence for whoever typed it."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may be assigned in a tenant, and the address Microsoft is told there."""

    user_id: int
    name: str
    address: str


def address_for(user: User, tenant: Tenant) -> str | None:
    """The person's address in the tenant, or None where staff have set none."""
    return addresses_for(user, [tenant.pk]).get(tenant.pk)


def addresses_for(user: User, tenant_ids: Collection[int]) -> dict[int, str]:
    """tenant key → the person's address there, in two queries; tenants without one are left out."""
    usual = Assignee.objects.filter(user_id=user.pk).values_list("address", flat=True).first()
    special = dict(
        TenantAssignee.objects.filter(user_id=user.pk, tenant_id__in=tenant_ids).values_list("tenant_id", "address")
    )
    found = {tenant_id: special.get(tenant_id, usual) for tenant_id in tenant_ids}
    return {tenant_id: address for tenant_id, address in found.items() if address}


def people_for(tenant_ids: Collection[int]) -> dict[int, list[Person]]:
    """tenant key → whom one may assign there, by name. Empty for a tenant that the person in scope is no member of.

    One query for all tenants: memberships of others are closed to pages, so the database gives these names only.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ASSIGNABLE, [list(tenant_ids)])
        rows = cursor.fetchall()
    found: dict[int, list[Person]] = {tenant_id: [] for tenant_id in tenant_ids}
    for tenant_id, user_id, name, address in sorted(rows, key=lambda row: (str(row[2]).casefold(), row[1])):
        found[tenant_id].append(Person(user_id, name, address))
    return found


def address_of(user_id: int, tenant_id: int) -> str | None:
    """The address under which this person may be assigned in this tenant; None where they may not be."""
    people = people_for([tenant_id])[tenant_id]
    return next((person.address for person in people if person.user_id == user_id), None)


def set_address(*, user: User, tenant: Tenant | None, address: str, by: Actor, now: datetime) -> None:
    """Set, change or (with "") take away the usual address, or the one in a tenant. For staff; raises BadAddress."""
    cleaned = checked_address(address)
    with transaction.atomic():
        chosen: Any = {"user": user} if tenant is None else {"user": user, "tenant": tenant}
        rows: Any = Assignee.objects if tenant is None else TenantAssignee.objects
        if cleaned:
            rows.update_or_create(**chosen, defaults={"address": cleaned})
        else:
            rows.filter(**chosen).delete()
        details = {"person": user.pk, "address": cleaned or "none", "at": now.isoformat(timespec="seconds")}
        where = tenant.entra_id if tenant else None
        record(Event(by=by, action="set address", tenant=where, subject=user.display_name, details=details))


def checked_address(text: str) -> str:
    """The address as it is stored; "" stays "". Raises BadAddress."""
    address = text.strip()
    if len(address) > LONGEST:
        raise BadAddress(f"An address has at most {LONGEST} characters.")
    if address and (address != clean_text(address) or not address.isprintable() or " " in address):
        raise BadAddress("An address has no blanks and no invisible characters. Type it again.")
    if address and "@" not in address[1:-1]:
        raise BadAddress("An address looks like name@example.com. Type the one that Defender shows for this person.")
    return address
