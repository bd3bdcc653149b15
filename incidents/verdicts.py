"""What Microsoft's answer means for each change: stands there already, may be written, or somebody else was there.

Nothing is written over a value that the analyst did not see. A field that holds neither what was seen nor what is
wanted is a conflict; tags and comments add to what is there and know none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from incidents.models import Field, Intent, IntentState
from incidents.signing import is_among, signed
from incidents.values import Answer, Value, applied, body_of, is_same

MERGED: Final = "merged"
CHANGED: Final = "changed"
NOT_SHOWN: Final = "not-shown"
# A later change of ours that still counts: what it wants may stand at Microsoft before ours has been looked at.
_COUNTS: Final = frozenset(IntentState.values) - {IntentState.CANCELLED, IntentState.REFUSED, IntentState.CONFLICT}


@dataclass(frozen=True, slots=True)
class Verdict:
    """``state`` None: it may be written, with ``body`` as its part of the PATCH. Else what it is settled as."""

    intent: Intent
    state: IntentState | None
    code: str = ""
    detail: str = ""
    step: str = ""
    remote: Value | None = None
    body: Mapping[str, Any] = field(default_factory=dict)


def is_done(intent: Intent, answer: Answer) -> bool:
    """Whether Microsoft has what is wanted."""
    if intent.field == Field.COMMENT:
        return is_among(answer.values.comments, intent.mark)
    current = answer.values.of(intent.field)
    if intent.field == Field.TAGS:
        return is_same(Field.TAGS, applied(current, intent.wanted), current)
    return is_same(intent.field, current, intent.wanted)


def judge(intents: Iterable[Intent], answer: Answer, later: Sequence[Intent]) -> list[Verdict]:
    """Before a write. ``later`` are changes of the same incident that were decided after these."""
    return [_judged(intent, answer, later) for intent in intents]


def look_again(intents: Iterable[Intent], answer: Answer, later: Sequence[Intent]) -> list[Verdict]:
    """Of what Microsoft had taken and no sync has shown: nothing is sent again, whatever stands there."""
    return [_looked_at(intent, answer, later) for intent in intents]


def _judged(intent: Intent, answer: Answer, later: Sequence[Intent]) -> Verdict:
    if is_done(intent, answer):
        return Verdict(intent, IntentState.CONFIRMED)
    if answer.redirect_number is not None:
        detail = f"The incident was merged into incident {answer.redirect_number}. Nothing was sent there."
        step = f"Send it to incident {answer.redirect_number}, or drop it."
        return Verdict(intent, IntentState.CONFLICT, MERGED, detail, step, answer.redirect_number)
    if intent.field == Field.COMMENT:
        text = signed(intent.wanted, initials=intent.initials, mark=intent.mark)
        return Verdict(intent, None, body=body_of(Field.COMMENT, text))
    current = answer.values.of(intent.field)
    if intent.field == Field.TAGS:
        return Verdict(intent, None, body=body_of(Field.TAGS, applied(current, intent.wanted)))
    if is_same(intent.field, current, intent.seen):
        return Verdict(intent, None, body=body_of(intent.field, intent.wanted))
    if _is_ours(intent, current, later):
        return _overtaken(intent)
    detail = "Somebody changed it at Microsoft after you looked. Nothing was overwritten."
    step = "Choose your value or the one that stands there now."
    return Verdict(intent, IntentState.CONFLICT, CHANGED, detail, step, current)


def _looked_at(intent: Intent, answer: Answer, later: Sequence[Intent]) -> Verdict:
    if is_done(intent, answer):
        return Verdict(intent, IntentState.CONFIRMED)
    if intent.field in {Field.COMMENT, Field.TAGS}:
        detail, step = "Microsoft accepted it but does not show it.", "Look in the Defender portal, then decide anew."
        return Verdict(intent, IntentState.EXCEEDED, NOT_SHOWN, detail, step)
    current = answer.values.of(intent.field)
    if _is_ours(intent, current, later):
        return _overtaken(intent)
    detail = "Microsoft accepted it and now has another value: it was changed since, or never took effect."
    step = "Choose your value or the one that stands there now."
    return Verdict(intent, IntentState.CONFLICT, NOT_SHOWN, detail, step, current)


def _is_ours(intent: Intent, current: Value, later: Sequence[Intent]) -> bool:
    """Whether what stands there is what we wanted later on: so it is after a backup older than Microsoft came back."""
    after = (one for one in later if one.field == intent.field and one.pk > intent.pk and one.state in _COUNTS)
    return any(is_same(intent.field, current, one.wanted) for one in after)


def _overtaken(intent: Intent) -> Verdict:
    return Verdict(intent, IntentState.CONFIRMED, "overtaken", "A later decision of ours stands at Microsoft already.")


def body(verdicts: Iterable[Verdict]) -> dict[str, Any]:
    """One PATCH of everything that may be written: changed fields only."""
    whole: dict[str, Any] = {}
    for verdict in verdicts:
        whole |= verdict.body if verdict.state is None else {}
    return whole
