"""What a person can read about whether anything is missing: one record per sweep, and gaps between numbers.

A sweep lists the whole window again. What it finds that an earlier poll should have brought is counted as missing or
outdated before it is stored, so the record says what had been lost and the tables no longer lack it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import connection
from django.utils import timezone

from defender.times import parse_time
from incidents.models import Absence, Incident
from tenants import scope
from tenants.alarms import clear_alarm, raise_alarm
from tenants.models import CompletenessCheck, Tenant

if TYPE_CHECKING:
    from incidents.passes import Pass

# Ours: numbers that follow one sweep may be asked for, a batch with each pass.
GAPS: Final = 300
# Ours: where numbers jump further than this, it is a jump and no gap.
WIDEST: Final = 200

_GAPS = """
SELECT missing FROM (
    SELECT number, lead(number) OVER (ORDER BY number) AS following
    FROM incidents_incident WHERE tenant_id = %(tenant)s AND number >= (
        SELECT min(number) FROM incidents_incident WHERE tenant_id = %(tenant)s AND created_at >= %(since)s)
) held, generate_series(held.number + 1, held.following - 1) AS missing
WHERE held.following - held.number BETWEEN 2 AND %(widest)s AND NOT EXISTS (
    SELECT 1 FROM incidents_absence a WHERE a.tenant_id = %(tenant)s AND a.number = missing)
ORDER BY missing DESC LIMIT %(most)s
"""


def note_sweep(work: "Pass", *, now: datetime) -> None:
    """Write down what a complete sweep has found, inside the tenant's scope; tell people if something was missing."""
    held = Incident.objects.filter(updated_at__gte=parse_time(work.since), gone_at=None).count()
    check = CompletenessCheck.objects.create(
        tenant=work.tenant,
        checked_at=now,
        days=settings.SYNC_SWEEP_WINDOW.days,
        held=held,
        missing=work.missing,
        outdated=work.outdated,
        silent=work.silent,
    )
    if held and not work.seen_before + work.seen:
        work.notes.append(f"Microsoft listed nothing, although {held:,} incidents of this window are held.")
        _tell(work.tenant, "Microsoft's list of the last days is empty, although incidents are held.", now)
    elif not check.is_complete:
        work.notes.append(f"Of what earlier passes should have brought: {check.sentence}.")
        _tell(work.tenant, f"Incidents had not been read: {check.sentence}.", now)
    else:
        clear_alarm(key=alarm_of(work.tenant), now=now)


def gaps(tenant_id: int, *, until: datetime | None, most: int) -> list[int]:
    """Numbers between those we hold, of the window that ends at ``until``; newest first, none asked for before."""
    start = (until or timezone.now()) - settings.SYNC_SWEEP_WINDOW
    with scope.tenant(tenant_id), connection.cursor() as cursor:
        cursor.execute(_GAPS, {"tenant": tenant_id, "since": start, "widest": WIDEST, "most": most})
        return [number for (number,) in cursor.fetchall()]


def note_gaps(*, tenant: Tenant, absent: Sequence[int], found: int, now: datetime, notes: list[str]) -> None:
    """Remember numbers that do not exist; incidents found by number had been missing. Inside the tenant's scope."""
    rows = [Absence(tenant=tenant, number=number, looked_at=now) for number in absent]
    Absence.objects.bulk_create(rows, ignore_conflicts=True)
    last = CompletenessCheck.objects.filter(tenant=tenant).first()
    if not found or last is None:
        return
    for name in ("held", "missing", "by_number"):
        setattr(last, name, getattr(last, name) + found)
    last.save(update_fields=["held", "missing", "by_number"])
    notes.append(f"{found} incidents that no list had shown were found by their numbers.")
    _tell(tenant, f"Incidents were found by their numbers that no list had shown: {last.sentence}.", now)


def last_check(tenant: Tenant) -> CompletenessCheck | None:
    """The newest record; None before the first sweep."""
    return CompletenessCheck.objects.filter(tenant=tenant).first()


def alarm_of(tenant: Tenant) -> str:
    """The key of the alarm about missing incidents; the next sweep without any clears it."""
    return f"missing-{tenant.pk}"


def _tell(tenant: Tenant, sentence: str, now: datetime) -> None:
    step = "They have been read by now. Look at the tenant's runs for what went wrong before."
    raise_alarm(key=alarm_of(tenant), sentence=f"{tenant.name}: {sentence}", step=step, now=now)
