"""Whether changes of a tenant's incidents may go to Microsoft, and if not, why and what helps.

Three things can stand in the way: the connection itself (nobody consented, consent is gone), the role
Incident.ReadWrite.All, which the token does not carry, and a refusal (403) although it does. The last one is over with
the next proof of the connection, which looks at the roles again.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings

from audit.record import WORKER, Event, record
from defender.clouds import XDR
from defender.errors import DefenderError
from defender.permissions import CAPABILITIES, unserved
from incidents.models import Delivery
from tenants.models import SYNCING, Tenant, TokenFacts
from tenants.states import words_for

TRIAGE: Final = "triage"
_CONSENT: Final = "Ask staff to send the customer's administrator a new connect link from the tenant's page."


@dataclass(frozen=True, slots=True)
class WriteAccess:
    """``is_open``, or a stable code, a sentence and a next step for a person."""

    is_open: bool
    code: str = ""
    reason: str = ""
    step: str = ""


OPEN: Final = WriteAccess(True)


def write_access(tenant: Tenant) -> WriteAccess:
    """Of one tenant, in the scope that is open."""
    return write_access_of([tenant])[tenant.pk]


def write_access_of(tenants: Iterable[Tenant]) -> dict[int, WriteAccess]:
    """tenant key → whether it may be written to. Two queries, whatever the number of tenants."""
    known = {tenant.pk: tenant for tenant in tenants}
    facts = {row.tenant_id: row for row in TokenFacts.objects.filter(tenant_id__in=known, resource=XDR.key)}
    off = {row.tenant_id: row for row in Delivery.objects.filter(tenant_id__in=known).exclude(off_since=None)}
    return {key: _judged(tenant, facts.get(key), off.get(key)) for key, tenant in known.items()}


def _judged(tenant: Tenant, facts: TokenFacts | None, off: Delivery | None) -> WriteAccess:
    if TRIAGE not in settings.ASKED_CAPABILITIES:
        step = f"Whoever runs the portal adds {TRIAGE} to PORTAL_CAPABILITIES; customers then consent again."
        return WriteAccess(False, "not-asked-for", "This portal reads incidents and changes none.", step)
    if tenant.state not in SYNCING:
        return WriteAccess(False, "not-connected", words_for(tenant).sentence, words_for(tenant).step)
    if facts and facts.readable and unserved(facts.roles, [TRIAGE], resource=XDR):
        role = CAPABILITIES[TRIAGE].role
        return WriteAccess(False, "role-missing", f"The customer has not granted {role}, which changes need.", _CONSENT)
    if off and off.off_since and not (facts and facts.obtained_at > off.off_since):
        return WriteAccess(False, off.off_code, off.off_detail, _CONSENT)
    return OPEN


def switch_off(*, tenant: Tenant, error: DefenderError, now: datetime) -> None:
    """Microsoft refused a change (403): nothing more is accepted for this tenant until its connection is proved anew.

    In the caller's transaction. The proof is due at once, so that a refusal that passes does not last.
    """
    values = {"off_since": now, "off_code": error.code[:64], "off_detail": error.sentence[:600]}
    values["off_reference"] = (error.reference or "")[:128]
    Delivery.objects.filter(tenant=tenant).update(**values)
    Tenant.objects.filter(pk=tenant.pk, state__in=SYNCING).update(check_due_at=now)
    details = {"code": error.code, "reference": error.reference or ""}
    record(Event(by=WORKER, action="writing is off", tenant=tenant.entra_id, subject=tenant.name, details=details))


def read_only(tenants: Collection[Tenant]) -> dict[int, WriteAccess]:
    """Those of the tenants that may not be written to, with the reason: for banners."""
    return {key: access for key, access in write_access_of(tenants).items() if not access.is_open}
