"""Alarms: a row, a banner, a log line, and an e-mail to ALARM_EMAIL. One open alarm per key, however often raised."""

from datetime import datetime

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.utils import timezone

from tenants.models import Alarm

log = structlog.get_logger("portal.alarm")


def raise_alarm(*, key: str, sentence: str, step: str = "", now: datetime | None = None) -> Alarm:
    """Open the alarm, or bring an open one up to date; mail goes out only when it opens."""
    alarm, opened = Alarm.objects.update_or_create(
        key=key,
        cleared_at=None,
        defaults={"sentence": sentence[:500], "step": step[:500]},
        create_defaults={"sentence": sentence[:500], "step": step[:500], "raised_at": now or timezone.now()},
    )
    if opened:
        log.error("alarm", key=key, sentence=sentence)
        transaction.on_commit(lambda: mail(alarm))
    return alarm


def clear_alarm(*, key: str, now: datetime | None = None) -> bool:
    """Close the open alarm of that key, if there is one."""
    cleared = Alarm.objects.filter(key=key, cleared_at=None).update(cleared_at=now or timezone.now())
    if cleared:
        log.warning("alarm cleared", key=key)
    return bool(cleared)


def open_alarms_for(user: object) -> list[Alarm]:
    """What the banner shows: open alarms to staff, nothing to others."""
    if not getattr(user, "is_staff", False):
        return []
    return list(Alarm.objects.filter(cleared_at=None)[:5])


def mail(alarm: Alarm) -> None:
    """Tell ALARM_EMAIL; a mail server that does not answer is logged and never stops the work."""
    if not settings.ALARM_EMAIL:
        return
    subject = " ".join(f"[{settings.PORTAL_NAME}] {alarm.sentence}".split())[:150]
    try:
        send_mail(subject, f"{alarm.sentence}\n\n{alarm.step}\n", None, [settings.ALARM_EMAIL])
    except OSError as failure:
        log.error("alarm mail failed", key=alarm.key, error=str(failure))
