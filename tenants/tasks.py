"""What workers do for tenants' connections. Messages only wake; what is due stands in PostgreSQL."""

import time
from datetime import timedelta

import structlog
from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import lockout, session_limits
from audit.record import WORKER
from tenants import leases, local_sign_ins, scope
from tenants.credential import watch
from tenants.models import CompletenessCheck, SyncRun, Tenant, TenantState
from tenants.proof import prove

log = structlog.get_logger("portal.tenants")
CHECK_HOLD = timedelta(minutes=2)  # a check that a worker took and never finished is due again after this
VISITS_KEPT = timedelta(days=90)  # our own limit; the audit log knows of every sign-in for longer
BUSY_FOR = 30.0  # seconds one wake-up goes on finding due checks before it makes room


def take_due_check() -> Tenant | None:
    """One tenant whose check is due, held for this worker; the longest waiting first."""
    now = timezone.now()
    with scope.operations(), transaction.atomic():
        rows = Tenant.objects.select_for_update(skip_locked=True, no_key=True, of=("self",)).select_related("customer")
        due = rows.filter(check_due_at__lte=now).exclude(state=TenantState.DISCONNECTED)
        tenant = due.order_by("check_due_at").first()
        if tenant:
            Tenant.objects.filter(pk=tenant.pk).update(check_due_at=now + CHECK_HOLD)
    return tenant


def check(tenant: Tenant) -> None:
    """Prove one tenant; a fault of the portal itself is logged and the others go on."""
    with structlog.contextvars.bound_contextvars(tenant=str(tenant.entra_id)):
        try:
            prove(tenant=tenant, by=WORKER, now=timezone.now())
        except Exception:
            log.exception("check failed")


@shared_task(name="tenants.check_due")
def check_due() -> None:
    """Prove every tenant whose check is due."""
    if wrong := leases.put_dates_right():
        log.warning("the database's clock was set back", tenants=wrong)
    until = time.monotonic() + BUSY_FOR
    while time.monotonic() < until and (tenant := take_due_check()):
        check(tenant)


@shared_task(name="tenants.watch_credential")
def watch_credential() -> None:
    """Warn before our own credential expires."""
    watch(now=timezone.now())


@shared_task(name="tenants.tell_of_local_sign_ins")
def tell_of_local_sign_ins() -> None:
    """An alarm for each use of a local account."""
    local_sign_ins.tell(now=timezone.now())


@shared_task(name="tenants.drop_old_visits")
def drop_old_visits() -> None:
    """Visits are kept for VISITS_KEPT; sessions and counted tries go when they mean nothing any more."""
    now = timezone.now()
    session_limits.drop_old(before=now - VISITS_KEPT)
    lockout.drop_old(now=now)


@shared_task(name="tenants.drop_old_runs")
def drop_old_runs() -> None:
    """Sync runs and the records of sweeps are kept for SYNC_RUNS_KEPT."""
    oldest = timezone.now() - settings.SYNC_RUNS_KEPT
    with scope.operations():
        SyncRun.objects.filter(started_at__lt=oldest).delete()
        CompletenessCheck.objects.filter(checked_at__lt=oldest).delete()
