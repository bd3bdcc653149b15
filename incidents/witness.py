"""The second witness: a change that Microsoft has taken is confirmed once a sync shows it.

Microsoft's answer to a write is its own word; the list that the next pass reads is another. Nothing is locked here but
the changes themselves, after the page has been stored.
"""

from collections.abc import Sequence
from datetime import datetime

from defender.decoding import Unreadable
from defender.times import is_later
from incidents import values
from incidents.entries import Entry
from incidents.models import Field, Intent, IntentState
from incidents.verdicts import is_done
from tenants import scope


def witness(*, tenant_id: int, entries: Sequence[Entry], now: datetime) -> int:
    """A sync has read these incidents: what was sent and is shown by them is confirmed. Returns how many were.

    An entry that is later than Microsoft's answer to the change comes after it: what differs there was changed since,
    by another hand, and that is no reason to doubt the change.
    """
    numbers = {entry.number for entry in entries if entry.number is not None}
    if not numbers:
        return 0
    with scope.tenant(tenant_id):
        waiting = Intent.objects.filter(tenant_id=tenant_id, number__in=numbers, state=IntentState.SENT)
        rows = list(waiting.order_by("pk"))
        if not rows:
            return 0
        shown = {entry.number: entry for entry in entries}
        return sum(_confirmed(row, shown[row.number], now) for row in rows)


def _confirmed(row: Intent, entry: Entry, now: datetime) -> bool:
    try:
        answer = values.read(entry.raw)
    except Unreadable:
        return False
    is_newer = bool(row.answered_text) and is_later(entry.updated_text, row.answered_text)
    if not is_done(row, answer) and not (is_newer and row.field != Field.COMMENT):
        return False
    detail = "" if is_done(row, answer) else "It was changed again since, by another hand."
    same = Intent.objects.filter(pk=row.pk, state=IntentState.SENT)
    return bool(same.update(state=IntentState.CONFIRMED, due_at=None, settled_at=now, detail=detail))
