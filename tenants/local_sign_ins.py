"""Every use of a local account raises an alarm: such accounts are for the day on which the other way in is broken.

``accounts`` leaves a visit that is due; a worker finds it within seconds, also where the web process that wrote it has
died since. The alarm's own row, banner and mail are the workers' business: web may not write any.
"""

from datetime import datetime

from django.db import transaction

from accounts.models import Visit
from tenants.alarms import raise_alarm

ALARM_KEY = "local-sign-in"
STEP = (
    "If nobody of yours knows of it, switch the account off in the administration, which ends the session, and look "
    "into the audit log. Then mark the alarm as seen in the administration."
)


def tell(*, now: datetime) -> int:
    """Raise the alarms of sign-ins that nobody has been told of. Returns how many there were."""
    with transaction.atomic():
        due = Visit.objects.filter(alarm_due_at__lte=now).select_related("user")
        visits = list(due.select_for_update(skip_locked=True, of=("self",)).order_by("alarm_due_at")[:100])
        for visit in visits:
            raise_alarm(key=f"{ALARM_KEY}-{visit.pk}", sentence=sentence_of(visit), step=STEP, now=now)
        Visit.objects.filter(pk__in=[visit.pk for visit in visits]).update(alarm_due_at=None)
    return len(visits)


def sentence_of(visit: Visit) -> str:
    """Who, when, from where."""
    where = f" from {visit.address}" if visit.address else ""
    return f"The local account {visit.user.username} was used on {visit.started_at:%Y-%m-%d at %H:%M} UTC{where}."
