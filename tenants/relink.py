"""Moving a tenant to another customer takes two people: a mistake there shows one company's incidents to another's
analysts. One member of staff asks, another agrees; both have just proved who they are.

The database holds it as well: no request is agreed to by who asked, and no tenant changes its customer without one.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from accounts.models import User
from audit.record import Actor, Event, record
from tenants.consent import Refused, ask_check, clean_name
from tenants.models import ConsentRequest, Customer, Grant, Relink, Tenant, TenantGroupMember

OPEN_FOR = timedelta(hours=24)  # our own limit: a request nobody agrees to in a day is forgotten


def open_relink(tenant: Tenant, now: datetime) -> Relink | None:
    """The request that waits for a second person."""
    waiting = Relink.objects.filter(tenant=tenant, settled_at=None, asked_at__gt=now - OPEN_FOR)
    return waiting.select_related("asked_by").first()


def ask(*, tenant: Tenant, customer_name: str, asker: User, by: Actor, now: datetime) -> Relink:
    """Ask for the move; nothing moves yet. Raises Refused for a name that cannot be used or an open request."""
    name = clean_name(customer_name)
    if name.casefold() == tenant.customer.name.casefold():
        raise Refused(f"The tenant belongs to {tenant.customer.name} already.")
    with transaction.atomic():
        _lock(tenant)
        stale = Relink.objects.filter(tenant=tenant, settled_at=None, asked_at__lte=now - OPEN_FOR)
        stale.update(settled_at=now, outcome=Relink.Outcome.EXPIRED)
        if open_relink(tenant, now):
            raise Refused("Somebody has asked for a move already: agree to it, or withdraw it first.")
        made = Relink.objects.create(tenant=tenant, customer_name=name, asked_by=asker, asked_at=now)
        _record(by, "ask for relink", tenant, {"from": tenant.customer.name, "to": name})
    return made


def withdraw(*, tenant: Tenant, by: Actor, now: datetime) -> None:
    """Drop the open request; anybody of staff may."""
    with transaction.atomic():
        _lock(tenant)
        dropped = Relink.objects.filter(tenant=tenant, settled_at=None)
        if dropped.update(settled_at=now, outcome=Relink.Outcome.WITHDRAWN):
            _record(by, "withdraw relink", tenant, {})


def agree(*, tenant: Tenant, seen: str, agreer: User, by: Actor, now: datetime) -> Tenant:
    """A second person agrees: the tenant moves, open links stop working, and access has to be given anew.

    ``seen`` is the request on the page that the agreer looked at: whoever asked may have put another in its place.
    Raises Refused where nothing is open, the agreer is who asked, or it is another request than the one seen.
    """
    with transaction.atomic():
        locked = _lock(tenant)
        request = open_relink(locked, now)
        if request is None:
            raise Refused("Nobody has asked for a move, or it was too long ago.")
        if request.asked_by == agreer:
            raise Refused("You have asked for this yourself: another member of staff has to agree.")
        if not (request.asked_by.is_active and request.asked_by.is_staff):
            raise Refused("Whoever asked for this is no longer staff: withdraw it, and ask anew where it is wanted.")
        if str(request.pk) != seen:
            raise Refused("This is not the request you saw any more: look at it, and agree again.")
        before = locked.customer.name
        Relink.objects.filter(pk=request.pk).update(agreed_by=agreer)
        _move(locked, request.customer_name)
        Relink.objects.filter(pk=request.pk).update(settled_at=now, outcome=Relink.Outcome.MOVED)
        taken = _take_access(locked)
        ConsentRequest.objects.filter(tenant=locked, spent_at=None, withdrawn_at=None).update(withdrawn_at=now)
        _record(by, "relink", locked, {"from": before, "to": request.customer_name, "access taken back": taken})
        ask_check(tenant=locked, by=by, now=now)
    return locked


def _move(tenant: Tenant, name: str) -> None:
    customer = Customer.objects.filter(name__iexact=name).first() or Customer.objects.create(name=name)
    is_first = not Tenant.objects.filter(customer=customer).exists()
    tenant.customer = customer
    tenant.name = (name if is_first else f"{name} ({tenant.domain or str(tenant.entra_id)[:8]})")[:200]
    tenant.save(update_fields=["customer", "name"])


def _take_access(tenant: Tenant) -> int:
    """Roles were given for the customer before; only groups that cover all tenants keep this one."""
    grants, _ = Grant.objects.filter(tenant=tenant).delete()
    groups, _ = TenantGroupMember.objects.filter(tenant=tenant).delete()
    return grants + groups


def _lock(tenant: Tenant) -> Tenant:
    return Tenant.objects.select_for_update(of=("self",)).select_related("customer").get(pk=tenant.pk)


def _record(by: Actor, action: str, tenant: Tenant, details: dict[str, Any]) -> None:
    record(Event(by=by, action=action, tenant=tenant.entra_id, subject=tenant.name, details=details))
