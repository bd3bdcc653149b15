"""The queue and an incident's heading with what is on its way to Microsoft laid over our copy, marked as such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from defender import vocabulary
from incidents.decisions import seen_token
from incidents.filters import STATUS_OF
from incidents.models import Field, Incident, IncidentTag
from incidents.pending import NOTHING, Pending, pending_for, pending_of
from incidents.queue import QueuePage, QueueRow
from incidents.values import STATUS_WORDS, Values, held, words_for


@dataclass(frozen=True, slots=True)
class PendingRow:
    """What a row shows beside itself: ``token`` is what was seen, ``words`` what is on its way, field by field."""

    row: QueueRow
    token: str
    fields: frozenset[str]
    words: str
    conflicts: int


def overlaid(page: QueuePage) -> tuple[list[PendingRow], str]:
    """The page's rows, and a word that changes whenever something of theirs gets on its way or arrives. One query."""
    pending = pending_for([row.id for row in page.rows]) if page.rows else {}
    state = [(key, [(one.id, one.state) for one in of.intents]) for key, of in sorted(pending.items())]
    word = blake2b(repr(state).encode(), digest_size=6).hexdigest() if state else ""
    return [_row(row, pending.get(row.id, NOTHING)) for row in page.rows], word


def _row(row: QueueRow, pending: Pending) -> PendingRow:
    values = _values(row)
    over = pending.over(values)
    # The classification is no part of a row, so of it nothing was seen; its form shows it and says so itself.
    token = seen_token(_as_shown(row, over))
    changed: dict[str, Any] = {"assigned_to": over.assigned_to}
    if over.status != values.status:
        changed |= {"status": over.status, "status_word": words_for(Field.STATUS, over.status)}
    words = "; ".join(f"{one.label}: {one.wanted_words} – {one.state_word}" for one in pending.on_their_way)
    return PendingRow(replace(row, **changed), token, pending.fields, words, len(pending.conflicts))


def _values(row: QueueRow) -> Values:
    status = row.status if row.status in STATUS_WORDS else row.status_word
    return Values(row.assigned_to, status, ("", ""))


def _as_shown(row: QueueRow, over: Values) -> Incident:
    status = STATUS_OF[over.status if over.status in STATUS_WORDS else row.status]
    return Incident(assigned_to=over.assigned_to, status=status, remote_status=row.status_word)


@dataclass(frozen=True, slots=True)
class Strip:
    """What was decided of an incident, as its page shows it. Texts go through the ``shown`` filter."""

    status: str
    status_word: str
    assigned_to: str
    classification: str
    determination: str
    tags: Sequence[str]
    pending: Pending
    token: str

    @property
    def version(self) -> str:
        """Changes whenever anything of the strip does."""
        state = [(one.id, one.state, one.detail) for one in self.pending.intents]
        return blake2b(repr((self.token, self.tags, state)).encode(), digest_size=9).hexdigest()


def strip_of(incident: Incident) -> Strip:
    """The strip of an incident that ``access_incident`` has let through. Two queries."""
    tags = IncidentTag.objects.filter(tenant_id=incident.tenant_id, incident=incident).order_by("tag")
    pending = pending_of(incident)
    over = pending.over(held(incident, tags.values_list("tag", flat=True)[:100]))
    classification, determination = over.classification
    return Strip(
        status=over.status if over.status in STATUS_WORDS else "other",
        status_word=words_for(Field.STATUS, over.status),
        assigned_to=over.assigned_to,
        classification=vocabulary.label(classification, vocabulary.CLASSIFICATIONS),
        determination=vocabulary.label(determination, vocabulary.DETERMINATIONS),
        tags=over.tags,
        pending=pending,
        token=seen_token(incident, pending),
    )
