"""Watches the partner credential: an alarm at 30, 14, 7 and 1 days before it expires, and when it cannot be used."""

from datetime import datetime

from django.conf import settings

from defender.errors import CredentialFault
from tenants import tokens
from tenants.alarms import clear_alarm, raise_alarm

ALARM_KEY = "credential-expiry"
STAGES = (1, 7, 14, 30)  # days before expiry; each stage mails once


def watch(*, now: datetime) -> int | None:
    """Raise or clear the expiry alarm. Returns the days left, or None where the expiry is not known."""
    try:
        expires_at = expiry()
    except CredentialFault as fault:
        raise_alarm(key=ALARM_KEY, sentence=fault.sentence, step=fault.step, now=now)
        return 0
    if expires_at is None:
        return None
    days = (expires_at - now).days
    stage = next((stage for stage in STAGES if days < stage), None)
    for other in STAGES:
        if other != stage:
            clear_alarm(key=f"{ALARM_KEY}-{other}", now=now)
    if stage is None:
        clear_alarm(key=ALARM_KEY, now=now)
        return days
    when = "has expired" if days < 0 else f"expires in {days} day{'' if days == 1 else 's'}"
    raise_alarm(
        key=f"{ALARM_KEY}-{stage}",
        sentence=f"The portal's own credential at Entra ID {when} ({expires_at:%Y-%m-%d}).",
        step="Add a new one to the app registration, switch over, then remove the old one: docs/operations.md.",
        now=now,
    )
    return days


def expiry() -> datetime | None:
    """When the credential ends: read from a certificate, or from ENTRA_CLIENT_SECRET_EXPIRES for a secret."""
    known: datetime | None = getattr(tokens.credential(), "expires_at", None)
    return known or settings.ENTRA_CLIENT_SECRET_EXPIRES
