"""Consent from the portal's side: naming a tenant, the link that goes to the customer, and what syncs report back.

The customer's side (the connect page and the callback) is ``tenants.callback``; the proof is ``tenants.proof``.
"""

import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.urls import reverse
from django.utils.text import slugify

from audit.record import WORKER, Actor, Event, record
from defender.auth import admin_consent_url
from defender.discovery import parse_tenant, resolve_tenant
from defender.errors import DefenderError, Throttled, Transient
from defender.permissions import resources_for
from tenants import links, tokens
from tenants.connection import lock, move, next_check, reason
from tenants.models import ConsentForm, ConsentRequest, Customer, SyncState, Tenant, TenantState


class Refused(Exception):
    """The request cannot be carried out; the text is a sentence for the person who asked."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A fresh link. Its secret exists here and in the link only: shown once, stored as a hash."""

    tenant: Tenant
    request: ConsentRequest
    link: str = field(repr=False)
    microsoft_link: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """A tenant that Entra ID knows: its id, and the domain that was typed, if one was."""

    entra_id: UUID
    domain: str


def look_up(tenant_text: str) -> Found:
    """Which tenant an id or domain means, by asking Entra ID; call it outside any transaction.

    Raises defender.errors: BadInput for text that cannot be a tenant, TenantUnknown, Transient, Throttled.
    """
    typed = parse_tenant(tenant_text)
    identity = resolve_tenant(tenant_text, tokens.cloud(), tokens.transport())
    return Found(identity.tenant_id, typed if isinstance(typed, str) else "")


def told(error: DefenderError) -> str:
    """The error of a look-up for the person who waits for it: nobody but they will try again."""
    if not isinstance(error, Transient | Throttled):
        return f"{error.sentence} {error.step}".strip()
    hint = "Is the sandbox running? make demo starts it." if settings.IS_SANDBOX else "Try again in a moment."
    return f"{error.sentence} {hint}"


def begin(*, customer_name: str, found: Found, by: Actor, now: datetime, form: str = "") -> Invitation:
    """Pin a tenant to a customer and make its link. Raises Refused as ``name_tenant`` does."""
    with transaction.atomic():
        tenant = name_tenant(customer_name=customer_name, found=found, by=by, now=now)
        return invite(tenant=tenant, by=by, now=now, form=form)


def name_tenant(*, customer_name: str, found: Found, by: Actor, now: datetime) -> Tenant:
    """Pin a tenant to a customer; from now on the scheduled check may find it connected.

    Raises Refused for a name that cannot be used or a tenant that another customer holds; nothing is written then.
    """
    name = clean_name(customer_name)
    with transaction.atomic():
        return _pin(name=name, entra_id=found.entra_id, domain=found.domain, by=by, now=now)


def invite(*, tenant: Tenant, by: Actor, now: datetime, form: str = "") -> Invitation:
    """A new link for a tenant that is already named; links made before stop working."""
    chosen = ConsentForm(form) if form else suggested_form()
    secret = links.new_secret()
    with transaction.atomic():
        ConsentRequest.objects.filter(tenant=tenant, spent_at=None, withdrawn_at=None).update(withdrawn_at=now)
        request = ConsentRequest.objects.create(
            tenant=tenant,
            link_hash=links.digest(secret),
            state_hash=links.digest(links.state_of(secret)),
            browser_hash=links.digest(links.cookie_of(secret)),
            form=chosen,
            asked_by=by.name[:200],
            asked_at=now,
            expires_at=now + settings.CONSENT_LINK_LIFE,
        )
        if tenant.state == TenantState.DISCONNECTED:
            move(tenant=tenant, to=TenantState.INVITED, by=by, now=now)
            Tenant.objects.filter(pk=tenant.pk).update(check_due_at=now + settings.CONSENT_CHECK)
        record(Event(by=by, action="make connect link", tenant=tenant.entra_id, subject=tenant.name))
    link = settings.PORTAL_BASE_URL + reverse("tenants:connect", args=[secret])
    return Invitation(tenant, request, link, microsoft_url(tenant.entra_id, secret, chosen))


def microsoft_url(entra_id: UUID, secret: str, form: str) -> str:
    """Microsoft's own consent page for this tenant, with our callback and the link's state."""
    return admin_consent_url(
        tokens.cloud(),
        tenant_id=entra_id,
        client_id=settings.ENTRA_CLIENT_ID,
        redirect_uri=settings.PORTAL_BASE_URL + reverse("tenants:callback"),
        state=links.state_of(secret),
        form="v1" if form == ConsentForm.V1 else "v2",
    )


def suggested_form() -> ConsentForm:
    """v2 names the permissions of one API; as soon as two APIs are asked for, only v1 takes them in one consent."""
    return ConsentForm.V2 if len(resources_for(settings.ASKED_CAPABILITIES)) == 1 else ConsentForm.V1


def accept_roles(*, tenant: Tenant, roles: list[str], by: Actor, now: datetime) -> None:
    """Staff have looked at roles beyond those asked for; the next check may connect."""
    with transaction.atomic():
        tenant.accepted_roles = sorted({*tenant.accepted_roles, *roles})
        tenant.save(update_fields=["accepted_roles"])
        details = {"roles": ", ".join(roles)}
        record(Event(by=by, action="accept roles", tenant=tenant.entra_id, subject=tenant.name, details=details))
        ask_check(tenant=tenant, by=by, now=now)


def disconnect(*, tenant: Tenant, by: Actor, now: datetime) -> None:
    """Stop reading. What was read is kept; open links stop working."""
    with transaction.atomic():
        ConsentRequest.objects.filter(tenant=tenant, spent_at=None, withdrawn_at=None).update(withdrawn_at=now)
        move(tenant=tenant, to=TenantState.DISCONNECTED, by=by, now=now)
        Tenant.objects.filter(pk=tenant.pk).update(check_due_at=None)


def ask_check(*, tenant: Tenant, by: Actor, now: datetime) -> None:
    """A proof is due now; a worker finds it."""
    Tenant.objects.filter(pk=tenant.pk).exclude(state=TenantState.DISCONNECTED).update(check_due_at=now)
    record(Event(by=by, action="ask for a check", tenant=tenant.entra_id, subject=tenant.name))


def lose_consent(*, tenant: Tenant, error: DefenderError, now: datetime) -> None:
    """A sync was told that the app is not installed, disabled, or its API missing: reading stops, data stays.

    A late report of a tenant that is not read any more, or was invited anew meanwhile, changes nothing.
    """
    with transaction.atomic():
        if lock(tenant).is_syncing:
            move(tenant=tenant, to=TenantState.CONSENT_LOST, by=WORKER, now=now, **reason(error))
            next_check(tenant, now=now)


def note_forbidden(*, tenant: Tenant, error: DefenderError, now: datetime) -> None:
    """A sync was refused one call (403), which may pass: degraded, and the proof decides at once."""
    move(tenant=tenant, to=TenantState.DEGRADED, by=WORKER, now=now, **reason(error))
    Tenant.objects.filter(pk=tenant.pk).update(check_due_at=now)


def clean_name(text: str) -> str:
    """A customer's name as it will be shown. Raises Refused where it is empty, too long or not plain text."""
    name = " ".join(text.split())
    if not name:
        raise Refused("Enter the customer's name.")
    if len(name) > 200:
        raise Refused("The customer's name is longer than 200 characters. Shorten it.")
    if any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn"} for char in name):
        raise Refused("The customer's name contains invisible or control characters. Type it again.")
    return name


def _pin(*, name: str, entra_id: UUID, domain: str, by: Actor, now: datetime) -> Tenant:
    """The tenant's row: found for the same customer, or made.

    Naming happens one at a time: two requests at once can neither pin a tenant twice nor take the same slug.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('tenants.consent.name_tenant'))")
    known = Tenant.objects.select_related("customer").filter(entra_id=entra_id).first()
    if known is None:
        customer = Customer.objects.filter(name__iexact=name).first() or Customer.objects.create(name=name)
        known = _new_tenant(customer, entra_id, domain, by, now)
    if known.customer.name.casefold() != name.casefold():
        raise Refused(
            f"This tenant already belongs to the customer {known.customer.name}. "
            "Use that name to make a new link, or check the tenant id. "
            "To move it, two members of staff use the tenant's page."
        )
    return known


def _new_tenant(customer: Customer, entra_id: UUID, domain: str, by: Actor, now: datetime) -> Tenant:
    first = not Tenant.objects.filter(customer=customer).exists()
    name = customer.name if first else f"{customer.name} ({domain or str(entra_id)[:8]})"
    tenant = Tenant.objects.create(
        customer=customer,
        entra_id=entra_id,
        slug=_free_slug(name, entra_id),
        name=name[:200],
        domain=domain,
        state_since=now,
        check_due_at=now,
    )
    SyncState.objects.create(tenant=tenant)
    record(Event(by=by, action="name tenant", tenant=entra_id, subject=tenant.name))
    return tenant


def _free_slug(name: str, entra_id: UUID) -> str:
    slug = slugify(name)[:60] or str(entra_id)[:8]
    is_taken = slug == "connect" or Tenant.objects.filter(slug=slug).exists()
    return f"{slug}-{str(entra_id)[:8]}" if is_taken else slug
