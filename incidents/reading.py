"""Who looked at which incident: one line in the audit log per person, incident and hour."""

from datetime import datetime, timedelta
from typing import Final

from audit.models import AuditEvent
from audit.record import Actor, Event, record
from incidents.models import Incident, Quarantine

# The index audit_event_reads is made for this word.
READ: Final = "read incident"
AGAIN_AFTER: Final = timedelta(hours=1)  # ours: a page is opened many times while somebody works on it


def note_read(found: Incident | Quarantine, *, by: Actor, now: datetime) -> None:
    """Record that ``by`` opens the incident, or what of it lies in quarantine, unless that is recorded within the last
    hour. No record, no page.
    """
    number = "without a number" if found.number is None else found.number
    tenant, subject = found.tenant.entra_id, f"incident {number}"
    same = AuditEvent.objects.filter(action=READ, actor=by.name[:200], subject=subject, tenant=tenant)
    if not same.filter(at__gt=now - AGAIN_AFTER).exists():
        record(Event(by=by, action=READ, tenant=tenant, subject=subject))
