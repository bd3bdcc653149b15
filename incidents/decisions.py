"""What a decision is, whether it makes sense, and what it comes to for one incident as it stands.

Nothing here writes; ``incidents.triage`` does.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from typing import Any, Final

from defender import vocabulary
from defender.cleaning import MAX_TAG, clean_text
from incidents.models import Field, Incident, Intent
from incidents.pending import NOTHING, Pending
from incidents.values import STATUS_WORDS, Value, Values, applied, held, is_same, words_for

# Ours: incidents and tags in one decision. Microsoft documents no limit for either.
MOST_TARGETS: Final = 1_000
MOST_TAGS: Final = 20
# Graph takes a comment of 1,000 characters; the Defender XDR API documents no limit, so this is the one known to hold.
# The signature needs 24 of them: were it cut off, a comment whose answer was lost would not be known again.
LONGEST_COMMENT: Final = 950
LONGEST_KEY: Final = 64
_LONGEST_TOKEN: Final = 4_000
_in_json: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Decision:
    """What shall be changed; None and empty leave a field as it is.

    ``assigned_to`` is the address written at Microsoft ("" is nobody) and the same in every tenant; ``assignee`` is a
    person's key, who is written under the address that person has in each tenant. ``status`` is a key of
    ``incidents.values.STATUS_WORDS``. ``classification`` and ``determination`` are in our spelling
    (``defender.vocabulary``), a valid pair, always together.
    """

    assigned_to: str | None = None
    assignee: int | None = None
    status: str | None = None
    classification: str | None = None
    determination: str | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """One incident by its tenant's slug and Microsoft's number. ``seen`` is the page's token (``seen_token``) or "".

    ``to_merged``: the incident that it was merged into, by which the person says that the change shall go there.
    """

    tenant: str
    number: int
    seen: str = ""
    to_merged: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one target. ``code`` is "" where the change was accepted; else a stable word, a sentence and a step.

    Codes: not-found, not-allowed, read-only, merged, conflict, nothing-to-change, not-assignable, unreadable, invalid,
    key-used, not-yours, too-late. With ``conflict`` some intents wait for a choice (``triage.settle``); the others go.
    """

    target: Target
    intents: Sequence[Intent] = ()
    code: str = ""
    sentence: str = ""
    step: str = ""
    merged_into: int | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One field's part of a decision. ``conflict``: what stands there now where that is not what the person saw."""

    field: str
    seen: Value
    wanted: Value
    conflict: Value | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """An incident and everything a decision about it needs to know; ``pending`` is what is on its way already."""

    incident: Incident
    tags: Sequence[str] = ()
    pending: Pending = NOTHING
    addresses: Mapping[int, str] = field(default_factory=dict)  # of whoever may be assigned in the tenant

    @property
    def ours(self) -> Values:
        """As our copy has it."""
        return held(self.incident, self.tags)

    @property
    def shown(self) -> Values:
        """As the page shows it: ours with what is on its way."""
        return self.pending.over(self.ours)


class NotAssignable(ValueError):
    """The person or address cannot be assigned in this tenant."""


def cleaned(decision: Decision) -> Decision:
    """The decision with storable texts, blanks around them gone, and repeated tags once."""
    return Decision(
        assigned_to=None if decision.assigned_to is None else clean_text(decision.assigned_to).strip(),
        assignee=decision.assignee,
        status=decision.status or None,
        classification=decision.classification or None,
        determination=decision.determination or None,
        add_tags=_tags(decision.add_tags),
        remove_tags=_tags(decision.remove_tags),
        comment=clean_text(decision.comment).replace("\r\n", "\n").strip(),
    )


def problem_with(decision: Decision, targets: Sequence[Target], key: str) -> str:
    """What is wrong with it whatever it is about, as a sentence; "" where nothing is."""
    if not 0 < len(key) <= LONGEST_KEY:
        return f"A decision needs a key of 1 to {LONGEST_KEY} characters, so that it is made only once."
    if not targets:
        return "Choose at least one incident."
    if len(targets) > MOST_TARGETS:
        return f"At most {MOST_TARGETS:,} incidents can be changed at once; {len(targets):,} were chosen."
    if decision == Decision():
        return "Choose what is to be changed."
    return _problem_with_fields(decision)


def _problem_with_fields(decision: Decision) -> str:
    if decision.assigned_to is not None and decision.assignee is not None:
        return "Name a person or an address, not both."
    if decision.status is not None and decision.status not in STATUS_WORDS:
        return f"The status must be one of {', '.join(STATUS_WORDS)}."
    if pair := _problem_with_pair(decision.classification, decision.determination):
        return pair
    tags = (*decision.add_tags, *decision.remove_tags)
    if len(tags) > MOST_TAGS:
        return f"At most {MOST_TAGS} tags can be changed at once."
    if any(len(tag) > MAX_TAG for tag in tags):
        return f"A tag has at most {MAX_TAG} characters."
    if both := sorted(set(decision.add_tags) & set(decision.remove_tags)):
        return f"The tag {both[0][:40]} cannot be added and removed at once."
    if len(decision.comment) > LONGEST_COMMENT:
        return f"A comment has at most {LONGEST_COMMENT:,} characters; this one has {len(decision.comment):,}."
    return ""


def _problem_with_pair(classification: str | None, determination: str | None) -> str:
    if classification is None and determination is None:
        return ""
    if classification is None or determination is None:
        return "A classification and its determination are always set together. Choose both."
    allowed = vocabulary.DETERMINATIONS_OF.get(classification)
    if allowed is None:
        return f"The classification must be one of {', '.join(vocabulary.DETERMINATIONS_OF)}."
    if determination not in allowed:
        label = vocabulary.CLASSIFICATIONS[classification]
        return f"That determination does not go with “{label}”; it may be {', '.join(allowed)}."
    return ""


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tag for tag in (clean_text(tag).strip() for tag in tags) if tag))


def digest_of(decision: Decision, targets: Sequence[Target]) -> bytes:
    """Of what is asked, so that one key is not taken for two decisions. What the page had seen is no part of it."""
    places = sorted((one.tenant, one.number, *filter(None, [one.to_merged])) for one in targets)
    asked = {"what": asdict(decision), "where": places}
    return blake2b(json.dumps(asked, sort_keys=True).encode(), digest_size=16).digest()


def changes_of(decision: Decision, target: Target, ground: Ground) -> list[Change]:
    """What the decision comes to here: fields that are that way already are left out. Raises NotAssignable."""
    shown, seen = ground.shown, _unsealed(target.seen)
    wanted: dict[str, Value] = {}
    if (address := _address(decision, ground)) is not None:
        wanted[Field.ASSIGNED_TO] = address
    if decision.status is not None:
        wanted[Field.STATUS] = decision.status
    if decision.classification is not None:
        wanted[Field.CLASSIFICATION] = [decision.classification, decision.determination]
    found = [_change(name, value, ground, seen) for name, value in wanted.items()]
    return [*(change for change in found if change), *_texts(decision, shown)]


def _change(name: str, wanted: Value, ground: Ground, seen: Mapping[str, Value]) -> Change | None:
    now, ours = ground.shown.of(name), ground.ours.of(name)
    if is_same(name, now, wanted):
        return None
    before = seen.get(name, now)
    if is_same(name, before, now) or is_same(name, before, ours):
        return Change(name, before, wanted)
    return Change(name, before, wanted, conflict=now)


def _texts(decision: Decision, shown: Values) -> list[Change]:
    """Tags and comments add to what is there, so nothing that happened meanwhile stands against them."""
    changes = []
    if decision.add_tags or decision.remove_tags:
        wanted = {"add": list(decision.add_tags), "remove": list(decision.remove_tags)}
        if not is_same(Field.TAGS, applied(shown.tags, wanted), shown.tags):
            changes.append(Change(Field.TAGS, list(shown.tags), wanted))
    if decision.comment:
        changes.append(Change(Field.COMMENT, "", decision.comment))
    return changes


def _address(decision: Decision, ground: Ground) -> str | None:
    if decision.assignee is not None:
        if decision.assignee not in ground.addresses:
            raise NotAssignable
        return ground.addresses[decision.assignee]
    if not decision.assigned_to:
        return decision.assigned_to
    known = {address.casefold(): address for address in (ground.ours.assigned_to, *ground.addresses.values())}
    if decision.assigned_to.casefold() not in known:
        raise NotAssignable
    return known[decision.assigned_to.casefold()]


def seen_token(incident: Incident, pending: Pending = NOTHING) -> str:
    """What a page shows of an incident, for ``Target.seen``. ``pending`` is what the page lays over our copy."""
    return token_of(pending.over(held(incident)))


def token_of(values: Values) -> str:
    """The same of the values that are shown.

    It is no secret and is not signed: who changes it only says to have seen something else.
    """
    return _sealed([values.assigned_to, values.status, *values.classification])


def token_of_field(field: str, seen: Value) -> str:
    """The same of one field alone, for a decision that is about no other."""
    pair = seen if field == Field.CLASSIFICATION else ("", "")
    return _sealed([seen if field == name else "" for name in (Field.ASSIGNED_TO, Field.STATUS)] + list(pair))


def _sealed(shown: Sequence[Value]) -> str:
    return base64.urlsafe_b64encode(_in_json(shown).encode()).decode().rstrip("=")


def _unsealed(token: str) -> Mapping[str, Value]:
    """field → value seen; nothing where the token is none, which then says nothing."""
    try:
        padded = token[:_LONGEST_TOKEN] + "=" * (-len(token) % 4)
        shown: Any = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
    except (ValueError, binascii.Error, RecursionError):
        return {}
    if not (isinstance(shown, list) and len(shown) == 4 and all(_is_storable(value) for value in shown)):
        return {}
    fields = {Field.ASSIGNED_TO: shown[0], Field.STATUS: shown[1], Field.CLASSIFICATION: shown[2:]}
    return {str(name): value for name, value in fields.items()}


def _is_storable(value: Any) -> bool:
    return isinstance(value, str) and clean_text(value) == value


def conflict_sentence(changes: Sequence[Change]) -> str:
    """Both values of everything that somebody else has changed meanwhile."""
    parts = [
        f"{Field(one.field).label}: you saw {words_for(one.field, one.seen)}, "
        f"now it is {words_for(one.field, one.conflict)}"
        for one in changes
        if one.conflict is not None
    ]
    return f"Changed since you opened it. {'; '.join(parts)}. Nothing was overwritten."
