"""One breaker for what all tenants share: our own credential at Entra ID.

When it is refused, every tenant fails alike. The first refusal opens the breaker and raises one alarm; until it closes,
nobody asks Entra ID for a token, but for one worker at a time after each wait. A token that is given closes it. Tokens
that are still good go on being used meanwhile, so tenants stay current as long as they can.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from defender.errors import CredentialFault
from tenants.alarms import clear_alarm, raise_alarm
from tenants.database import give_back
from tenants.models import Breaker

KEY: Final = "partner-credential"
# Stands in the details of a refusal of ours: nobody was asked.
OPEN: Final = "breaker"

_MAY_ASK = """
UPDATE tenants_breaker SET probed_until = statement_timestamp() + %(wait)s
WHERE key = %(key)s AND open_until NOT BETWEEN statement_timestamp() AND statement_timestamp() + %(longest)s
    AND (probed_until IS NULL OR probed_until NOT BETWEEN statement_timestamp() AND statement_timestamp() + %(longest)s)
RETURNING 1
"""
_TRIP = """
INSERT INTO tenants_breaker AS mine (key, opened_at, open_until, code, sentence, step, refusals)
VALUES (%(key)s, statement_timestamp(), statement_timestamp() + %(wait)s, %(code)s, %(sentence)s, %(step)s, 1)
ON CONFLICT (key) DO UPDATE SET open_until = excluded.open_until, probed_until = NULL, code = excluded.code,
    sentence = excluded.sentence, step = excluded.step, refusals = mine.refusals + 1
"""


@contextmanager
def guard() -> Iterator[None]:
    """Around every request for a token. Raises CredentialFault, without a request, while it is open."""
    is_open = _refuse_while_open()
    give_back()
    try:
        yield
    except CredentialFault as fault:
        trip(fault)
        raise
    if is_open:
        close()


def trip(fault: CredentialFault) -> None:
    """Our credential was refused: wait before anybody asks again, and tell people once."""
    values: dict[str, Any] = {"key": KEY, "wait": settings.CREDENTIAL_WAIT, "code": fault.code[:60]}
    values |= {"sentence": fault.sentence[:500], "step": fault.step[:500]}
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_TRIP, values)
        raise_alarm(key=KEY, sentence=fault.sentence, step=fault.step)


def close() -> None:
    """It works again."""
    with transaction.atomic():
        Breaker.objects.filter(key=KEY).delete()
        clear_alarm(key=KEY)


def _refuse_while_open() -> bool:
    """Whether the breaker is open and we are the one that may try."""
    held = Breaker.objects.filter(key=KEY).first()
    if held is None:
        return False
    # A date further ahead than the wait is of a clock that was set back.
    wait = settings.CREDENTIAL_WAIT
    values: dict[str, Any] = {"wait": wait, "longest": wait + timedelta(minutes=1), "key": KEY}
    with connection.cursor() as cursor:
        cursor.execute(_MAY_ASK, values)
        if cursor.fetchone():
            return True
    until = max(held.open_until, timezone.now())
    raise CredentialFault(held.sentence, code=held.code, step=held.step, details={OPEN: f"{until:%H:%M:%S} UTC"})
