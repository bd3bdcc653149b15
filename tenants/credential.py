"""Watches the partner credential: an alarm at 30, 14, 7 and 1 days before it expires, and when it cannot be used."""

from datetime import datetime, timedelta

from django.conf import settings

from defender.errors import CredentialFault
from tenants import tokens
from tenants.alarms import clear_alarm, raise_alarm

ALARM_KEY = "credential-expiry"
IN_ENVIRONMENT = "secret-in-environment"
STAGES = (1, 7, 14, 30)  # days before expiry; each stage mails once


def watch(*, now: datetime) -> int | None:
    """Raise or clear the expiry alarm. Returns the days left, or None where the expiry is not known."""
    _watch_environment(now=now)
    try:
        expires_at = expiry()
    except CredentialFault as fault:
        _only(ALARM_KEY, now=now)
        raise_alarm(key=ALARM_KEY, sentence=fault.sentence, step=fault.step, now=now)
        return 0
    left = expires_at - now if expires_at else None
    stage = next((days for days in STAGES if left is not None and left <= timedelta(days=days)), None)
    _only(f"{ALARM_KEY}-{stage}", now=now)
    if expires_at and left is not None and stage:
        raise_alarm(
            key=f"{ALARM_KEY}-{stage}",
            sentence=f"The portal's own credential at Entra ID {_when(left)} ({expires_at:%Y-%m-%d}).",
            step="Add a new one to the app registration, switch over, then remove the old one: docs/operations.md.",
            now=now,
        )
    return left.days if left is not None else None


def _watch_environment(*, now: datetime) -> None:
    """A secret in the environment of production is there by somebody's decision, which everybody should see."""
    if settings.IS_PRODUCTION and settings.SECRETS_IN_ENVIRONMENT:
        sentence = (
            f"{settings.SECRETS_IN_ENVIRONMENT[0]} is in the environment of a worker, where it is seen too easily."
        )
        step = "Give it as a file, or use a certificate: docs/operations.md."
        raise_alarm(key=IN_ENVIRONMENT, sentence=sentence, step=step, now=now)
    else:
        clear_alarm(key=IN_ENVIRONMENT, now=now)


def _when(left: timedelta) -> str:
    if left <= timedelta():
        return "has expired"
    return f"expires in {left.days} days" if left >= timedelta(days=2) else "expires within two days"


def _only(key: str, *, now: datetime) -> None:
    """Close the alarms of every other stage, also those of a credential that was replaced."""
    for other in (ALARM_KEY, *(f"{ALARM_KEY}-{days}" for days in STAGES)):
        if other != key:
            clear_alarm(key=other, now=now)


def expiry() -> datetime | None:
    """When the last of the live credentials ends: read from certificates, or from ENTRA_CLIENT_SECRET_EXPIRES.

    That setting speaks of the newest secret. Raises CredentialFault where none of them can be read.
    """
    ends: list[datetime | None] = []
    fault: CredentialFault | None = None
    for live in tokens.live_credentials():
        try:
            ends.append(live.load().expires_at or settings.ENTRA_CLIENT_SECRET_EXPIRES)
        except CredentialFault as problem:
            fault = problem
    if fault and not ends:
        raise fault
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None
