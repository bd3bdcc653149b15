"""Moves a tenant's connection from state to state: one function, one audit row, one transaction."""

from datetime import datetime, timedelta

from django.db import transaction

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
        locked = Tenant.objects.select_for_update().get(pk=tenant.pk)
        before = locked.state
        if before == TenantState.DISCONNECTED and to != TenantState.INVITED:
            tenant.state = before
            return  # staff disconnected it meanwhile; only a new link leads out of that
        values = {
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
            _changed(tenant=locked, before=before, by=by, now=now)


def _changed(*, tenant: Tenant, before: str, by: Actor, now: datetime) -> None:
    if tenant.is_syncing:
        SyncState.objects.get_or_create(tenant=tenant)
        SyncState.objects.filter(tenant=tenant, next_due_at=None).update(next_due_at=now)
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


def reason(error: DefenderError) -> dict[str, str]:
    """Code, sentence and reference of an error, for ``move``."""
    step = f" {error.step}" if error.step else ""
    return {"code": error.code, "detail": f"{error.sentence}{step}", "reference": error.reference or ""}


def next_check(tenant: Tenant, *, now: datetime, eager: timedelta | None = None) -> None:
    """Note when consent is looked at again."""
    from django.conf import settings

    due = None if tenant.state == TenantState.DISCONNECTED else now + (eager or settings.CONSENT_CHECK)
    tenant.checked_at, tenant.check_due_at = now, due
    Tenant.objects.filter(pk=tenant.pk).update(checked_at=now, check_due_at=due)
