"""The kill switch: one row that stops every call to Microsoft, in every process, within seconds.

For the day on which the partner credential is believed stolen or a tenant asks for silence at once. Nothing is lost:
whoever wanted to call is told to come again later, as if Microsoft had asked for fewer requests.
"""

import threading
import time
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from audit.record import Actor, Event, record
from defender.errors import Throttled
from tenants.alarms import clear_alarm, raise_alarm
from tenants.database import give_back
from tenants.models import Breaker

KEY: Final = "all-calls"
STOPPED: Final = "stopped"  # the code of the refusal
# Seconds, ours: how often a process looks at the row, and when whoever was refused may come again.
LOOK_EVERY: Final = 2.0
COME_AGAIN: Final = 30.0
_FOR_EVER: Final = timedelta(days=36500)
_STEP: Final = "When all is well again: manage.py resume_calls."


class _Look:
    """What this process saw last."""

    lock = threading.Lock()
    at = float("-inf")
    sentence = ""


def stop_calls(*, by: Actor, reason: str, now: datetime | None = None) -> None:
    """Stop everything. ``reason`` is shown to staff and kept in the audit log."""
    at = now or timezone.now()
    sentence = f"All calls to Microsoft are stopped: {reason}"[:500]
    with transaction.atomic():
        values = {"opened_at": at, "open_until": at + _FOR_EVER, "code": STOPPED, "sentence": sentence, "step": _STEP}
        Breaker.objects.update_or_create(key=KEY, defaults=values)
        raise_alarm(key=KEY, sentence=sentence, step=_STEP, now=at)
        record(Event(by=by, action="stop all calls", details={"reason": reason[:500]}))


def resume_calls(*, by: Actor, now: datetime | None = None) -> bool:
    """Let calls go out again. Whether they had been stopped."""
    with transaction.atomic():
        deleted, _ = Breaker.objects.filter(key=KEY).delete()
        if deleted:
            clear_alarm(key=KEY, now=now)
            record(Event(by=by, action="resume all calls"))
    return bool(deleted)


def refuse_while_stopped() -> None:
    """Before each call. Raises Throttled, without a call, while everything is stopped."""
    with _Look.lock:
        if time.monotonic() - _Look.at >= LOOK_EVERY:
            held = Breaker.objects.filter(key=KEY).values_list("sentence", flat=True).first()
            _Look.at, _Look.sentence = time.monotonic(), held or ""
            give_back()  # the call that follows may take long
        sentence = _Look.sentence
    if sentence:
        raise Throttled(sentence, code=STOPPED, retry_after=COME_AGAIN)


def look_again() -> None:
    """Forget what was seen last, so that the next call looks."""
    _Look.at = float("-inf")
