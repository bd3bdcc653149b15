"""Moves a tenant's connection from state to state: one function, one audit row, one transaction."""

from datetime import datetime, timedelta
from typing import Any, TypedDict

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from audit.record import Actor, Event, record
from defender.errors import DefenderError
from tenants.models import SyncState, Tenant, TenantState

REASON_LIMIT = 500


def move(
    *,
    tenant: Tenant,
    to: TenantState,
    by: Actor,
    now: datetime,
    code: str = "",
    detail: str = "",
    reference: str = "",
) -> None:
    """Set the state and its reason. A change of state is audited; a change of reason alone is not.

    The row is locked and read again first: two workers that prove the same tenant at once leave one audit row.
    """
    with transaction.atomic():
        locked = lock(tenant)
        before = locked.state
        if before == TenantState.DISCONNECTED and to != TenantState.INVITED:
            tenant.state = before
            return  # staff disconnected it meanwhile; only a new link leads out of that
        if to == TenantState.DEGRADED and not locked.is_syncing:
            tenant.state = before
            return  # degraded tenants are read, and a late report of a sync must not start reading again
        values: dict[str, Any] = {
            "state": to,
            "state_code": code[:60],
            "state_detail": detail[:REASON_LIMIT],
            "state_reference": (reference or "")[:120],
        }
        if before != to:
            values["state_since"] = now
            if to == TenantState.CONNECTED:
                values["connected_at"] = now
        for name, value in values.items():
            setattr(tenant, name, value)
            setattr(locked, name, value)
        locked.save(update_fields=list(values))
        if before != to:
            _changed(tenant=locked, before=before, by=by)


def lock(tenant: Tenant) -> Tenant:
    """The tenant's row as it now is, locked until the transaction ends.

    Whoever needs a tenant's row and its sync state takes the row first, or two of them wait for each other for ever.
    Keys stay free: a page that is being stored holds the sync state and asks for no more of the tenant than its key.
    """
    return Tenant.objects.select_for_update(no_key=True).get(pk=tenant.pk)


def _changed(*, tenant: Tenant, before: str, by: Actor) -> None:
    if tenant.is_syncing:
        SyncState.objects.get_or_create(tenant=tenant)
        # By the database's clock, as workers read it; whatever failed before is no reason to wait now.
        SyncState.objects.filter(tenant=tenant, next_due_at=None).update(next_due_at=Now(), breaker_until=None)
    else:
        SyncState.objects.filter(tenant=tenant).update(next_due_at=None)
    record(
        Event(
            by=by,
            action="connection state",
            tenant=tenant.entra_id,
            subject=tenant.name,
            details={"from": before, "to": tenant.state, "code": tenant.state_code},
        )
    )


class Reason(TypedDict):
    """Why a tenant is in its state: a short code, a sentence with its next step, Microsoft's trace id."""

    code: str
    detail: str
    reference: str


def reason(error: DefenderError) -> Reason:
    """Code, sentence and reference of an error, for ``move``."""
    step = f" {error.step}" if error.step else ""
    return Reason(code=error.code, detail=f"{error.sentence}{step}", reference=error.reference or "")


def next_check(tenant: Tenant, *, now: datetime, eager: timedelta | None = None) -> None:
    """Note that the connection was looked at (``now``: when that began), and when it is looked at again.

    A check that somebody asked for meanwhile stays due, and a tenant that staff disconnected meanwhile gets none.
    """
    tenant.checked_at, tenant.check_due_at = now, now + (eager or settings.CONSENT_CHECK)
    same = Tenant.objects.filter(pk=tenant.pk)
    same.update(checked_at=now)
    asked_meanwhile = Q(check_due_at__gt=now, check_due_at__lte=timezone.now())
    same.exclude(asked_meanwhile).exclude(state=TenantState.DISCONNECTED).update(check_due_at=tenant.check_due_at)
