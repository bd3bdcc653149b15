"""The queue and an incident's heading with what is on its way to Microsoft laid over our copy, marked as such."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Any

from defender import vocabulary
from incidents.decisions import seen_token, token_of
from incidents.models import Comment, Field, Incident, IncidentTag
from incidents.pending import NOTHING, Pending, pending_for, pending_of, states_for
from incidents.queue import QueuePage, QueueRow
from incidents.signing import authors_of, is_as_written, unsigned
from incidents.values import STATUS_WORDS, Values, held, pair, words_for


@dataclass(frozen=True, slots=True)
class Overlay:
    """A page and what is on its way in its rows: incident key → key and state of each change.

    ``version`` changes with both. An open page that asks whether it is current needs no more than that.
    """

    under: QueuePage
    states: Mapping[int, Sequence[tuple[int, str]]]

    @property
    def version(self) -> str:
        """Of the page as it would be shown."""
        state = sorted(self.states.items())
        return self.under.version + (blake2b(repr(state).encode(), digest_size=6).hexdigest() if state else "")

    def page(self) -> QueuePage:
        """The page as it is shown. One query where anything is on its way."""
        pending = pending_for(list(self.states)) if self.states else {}
        rows = [_row(row, pending.get(row.id, NOTHING)) for row in self.under.rows]
        return replace(self.under, rows=rows, version=self.version)


def overlay_of(page: QueuePage) -> Overlay:
    """What is on its way in the page's rows. One query."""
    rows = page.rows
    return Overlay(page, states_for([row.id for row in rows], {row.tenant.id for row in rows}) if rows else {})


def overlaid(page: QueuePage) -> QueuePage:
    """The page with what is on its way in its rows; ``version`` changes with that too. At most two queries."""
    return overlay_of(page).page()


def _row(row: QueueRow, pending: Pending) -> QueueRow:
    known = row.status in STATUS_WORDS
    values = Values(
        assigned_to=row.assigned_to,
        status=row.status if known else row.status_word,
        classification=pair(row.classification, row.determination),
    )
    if not pending.intents:
        return replace(row, token=token_of(values))
    over = pending.over(values)
    changed: dict[str, Any] = {"assigned_to": over.assigned_to}
    if over.status != values.status:
        changed |= {"status": over.status, "status_word": words_for(Field.STATUS, over.status)}
    if over.classification != values.classification:
        changed |= {"classification": over.classification[0], "determination": over.classification[1]}
    words = "; ".join(f"{one.label}: {one.wanted_words} – {one.state_word}" for one in pending.on_their_way)
    return replace(row, token=token_of(over), on_its_way=words, conflicts=len(pending.conflicts), **changed)


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


@dataclass(frozen=True, slots=True)
class CommentLine:
    """A comment with the person who wrote it here; ``author`` is blank for others, whom Microsoft names."""

    text: str
    created_by: str
    created_at: datetime | None
    author: str


def comment_lines(incident: Incident, comments: Sequence[Comment]) -> list[CommentLine]:
    """The comments for people: of ours the reference at the end becomes the author's name. One query at most."""
    authors = authors_of(incident) if comments else {}
    found = []
    for comment in comments:
        text, mark = unsigned(comment.text)
        name, written = authors.get(mark, ("", ""))
        author = name if is_as_written(text, written) else ""
        shown = text if author else comment.text
        found.append(CommentLine(shown, comment.created_by, comment.created_at, author))
    return found
