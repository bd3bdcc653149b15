"""The values that a person can change, in our words: as our copy has them, as Microsoft sent them, as Microsoft wants.

One form for all comparisons. ``assigned_to`` is a text and "" is nobody; ``status`` a key, or Microsoft's own word
where it has no key; ``classification`` a pair [classification, determination], "" where none is set; ``tags`` a list.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from defender import vocabulary
from defender.cleaning import as_list, as_texts
from defender.decoding import decode
from defender.wire import WireIncident, read_incident
from incidents.models import Field, Incident, Status

# Microsoft Learn, "Update incidents API": Redirected is listed as a status too and makes no sense for a person to set.
STATUS_WORDS: Final = {"active": "Active", "in-progress": "InProgress", "resolved": "Resolved"}
_STATUS_KEYS: Final = {Status.ACTIVE: "active", Status.IN_PROGRESS: "in-progress", Status.RESOLVED: "resolved"}
# How nobody is written: whether null would do is documented nowhere, and some services take null for "left out".
NOBODY: Final = ""
# Characters of one tag or comment: an incident has no more bytes than this.
_WHOLE: Final = 16_000_000
_NOT_SET: Final = frozenset({"", "unknown", "notavailable"})

Value = Any


@dataclass(frozen=True, slots=True)
class Values:
    """What stands in an incident. ``comments`` are texts, oldest first."""

    assigned_to: str
    status: str
    classification: tuple[str, str]
    tags: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()

    def of(self, field: str) -> Value:
        """The value of one field as an intent stores it."""
        value = getattr(self, "comments" if field == Field.COMMENT else field)
        return list(value) if isinstance(value, tuple) else value


def held(incident: Incident, tags: Iterable[str] = ()) -> Values:
    """As our copy has them."""
    return Values(
        assigned_to=incident.assigned_to or "",
        status=_STATUS_KEYS.get(Status(incident.status), incident.remote_status),
        classification=pair(incident.classification, incident.determination),
        tags=tuple(tags),
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """One incident as Microsoft just sent it: its values, the time of its last update as sent, and where it leads."""

    values: Values
    updated_text: str
    redirect_number: int | None


def read(raw: bytes) -> Answer:
    """An answer of Microsoft's. Raises defender.decoding.Unreadable.

    Tags and comments are taken whole: the bounds of our columns must not become the end of somebody's tags.
    """
    incident, (tree, _) = read_incident(raw), decode(raw)
    comments = [entry.get("comment") if isinstance(entry, dict) else entry for entry in as_list(tree.get("comments"))]
    tags, texts = as_texts(tree.get("tags"), _WHOLE), as_texts(comments, _WHOLE)
    return Answer(values_of(incident, tags, texts), incident.updated_text, incident.redirect_incident_id)


def values_of(incident: WireIncident, tags: Iterable[str], comments: Iterable[str]) -> Values:
    """The values of an incident that was read already."""
    return Values(
        assigned_to=incident.assigned_to or "",
        status=_STATUS_KEYS.get(Status(incident.status_code), incident.status),
        classification=pair(incident.classification, incident.determination),
        tags=tuple(tags),
        comments=tuple(comments),
    )


def pair(classification: str | None, determination: str | None) -> tuple[str, str]:
    """Classification and determination in our spelling."""
    return (
        _ours(classification or "", vocabulary.CLASSIFICATIONS),
        _ours(determination or "", vocabulary.DETERMINATIONS),
    )


def _ours(word: str, words: dict[str, str]) -> str:
    if vocabulary.slug(word) in _NOT_SET:
        return ""
    return vocabulary.known_word(word, words) or word


def is_same(field: str, one: Value, other: Value) -> bool:
    """Whether two values of a field are the same to Microsoft: addresses know no case, tags no order."""
    if field == Field.ASSIGNED_TO:
        return str(one).casefold() == str(other).casefold()
    if field == Field.TAGS:
        return set(one) == set(other)
    return bool(list(one) == list(other) if field == Field.CLASSIFICATION else one == other)


def applied(current: Collection[str], wanted: Mapping[str, Collection[str]]) -> list[str]:
    """The tags after a change: those to remove taken out of what is there now, those to add put behind."""
    kept = [tag for tag in current if tag not in wanted["remove"]]
    return [*kept, *(tag for tag in wanted["add"] if tag not in kept)]


def body_of(field: str, value: Value) -> dict[str, Any]:
    """The part of a PATCH that sets one field, in the spelling that writing wants. Tags are given whole."""
    if field == Field.ASSIGNED_TO:
        return {"assignedTo": value or NOBODY}
    if field == Field.STATUS:
        return {"status": STATUS_WORDS[value]}
    if field == Field.CLASSIFICATION:
        classification, determination = (vocabulary.spelling(word, "xdr-write") for word in value)
        return {"classification": classification, "determination": determination}
    return {"tags": list(value)} if field == Field.TAGS else {"comment": value}


def words_for(field: str, value: Value) -> str:
    """A value for people. Foreign text in it is shown through the ``shown`` filter like any other."""
    if field == Field.ASSIGNED_TO:
        return str(value) or "nobody"
    if field == Field.STATUS:
        return vocabulary.label(STATUS_WORDS.get(str(value), str(value)), vocabulary.STATUSES)
    if field == Field.CLASSIFICATION:
        return _pair_in_words(*value)
    if field == Field.TAGS and isinstance(value, Mapping):
        parts = [f"+{tag}" for tag in value["add"]] + [f"−{tag}" for tag in value["remove"]]
        return ", ".join(parts)
    return ", ".join(value) or "none" if field == Field.TAGS else str(value)


def _pair_in_words(classification: str, determination: str) -> str:
    if not classification:
        return "not set"
    first = vocabulary.label(classification, vocabulary.CLASSIFICATIONS)
    return f"{first}, {vocabulary.label(determination, vocabulary.DETERMINATIONS)}" if determination else first
