"""That a token reads the list of incidents, in the audit log: one line an hour, for a program asks all day."""

from datetime import datetime, timedelta
from typing import Final

from api.models import Token
from audit.models import AuditEvent
from audit.record import Actor, Event, record

READ_LIST: Final = "read incidents"
AGAIN_AFTER: Final = timedelta(hours=1)


def note_list(token: Token, *, by: Actor, now: datetime) -> None:
    """No record, no list."""
    same = AuditEvent.objects.filter(action=READ_LIST, actor=by.name[:200], at__gt=now - AGAIN_AFTER)
    if not same.exists():
        record(Event(by=by, action=READ_LIST, subject=f"API token {token}", details={"tenants": _words(token)}))


def _words(token: Token) -> str:
    return "every tenant of its owner" if token.is_everywhere else "those of the token"
