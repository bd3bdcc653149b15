"""The door through which people change incidents: decide, undo or cancel, settle.

The contract. Every function runs in the person's scope, in one transaction: what was decided, the audit rows and the
outbox come together or not at all; no audit, no action. Nothing here calls Microsoft: intents become due when the time
for undoing them is over (TRIAGE_UNDO), and ``incidents.outbox`` carries them there. The same key is the same decision,
however often it comes: a double click, a back button and a request sent again have one effect and get one answer.

Rights are looked at per incident here, and once more when it is sent. An incident that does not exist and one that the
person may not read get the same answer.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.roles import Permission
from audit.models import Outcome
from audit.record import Actor, Event, record
from incidents.access import may
from incidents.decisions import (
    Answer,
    Change,
    Decision,
    NotAssignable,
    Target,
    changes_of,
    cleaned,
    conflict_sentence,
    digest_of,
    problem_with,
    seen_token,
)
from incidents.ground import Found, Grounds, end_of, look, of_one
from incidents.models import CANCELLABLE, SETTLED, UNSENT, Batch, Field, Incident, Intent, IntentState
from incidents.pending import in_sight
from incidents.signing import initials_of
from incidents.writing import write_access

__all__ = ["Answer", "Bulk", "Decision", "Target", "Undone", "cancel", "decide", "seen_token", "settle", "undo"]

# Letters and digits that nobody takes for another: a comment's reference is read out and typed.
_ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_MARK: Final = 6
# What a person without access and whoever asks for nothing are told.
_NOT_FOUND: Final = "There is no such incident among yours."


@dataclass(frozen=True, slots=True)
class Bulk:
    """What came of a decision. ``batch`` is None where nothing was decided; ``is_repeat``: it had been made before."""

    batch: Batch | None
    answers: Sequence[Answer]
    is_repeat: bool = False

    @property
    def accepted(self) -> list[Answer]:
        """Targets of which something is on its way."""
        return [answer for answer in self.answers if any(one.state != IntentState.CONFLICT for one in answer.intents)]

    @property
    def refused(self) -> list[Answer]:
        """Targets that want another look."""
        return [answer for answer in self.answers if answer.code]


@dataclass(frozen=True, slots=True)
class Undone:
    """``too_late``: under way or done already, so that only a new decision helps."""

    cancelled: Sequence[Intent]
    too_late: Sequence[Intent]


def decide(*, user: User, by: Actor, targets: Sequence[Target], decision: Decision, key: str, now: datetime) -> Bulk:
    """Decide about one incident or many, in any of the person's tenants; one answer per target, in their order.

    What was refused stands in its answer and keeps nothing else from going. Raises DatabaseError where the audit log
    cannot be written; then nothing was decided.
    """
    decision = cleaned(decision)
    if sentence := problem_with(decision, targets, key):
        return Bulk(None, [Answer(target, code="invalid", sentence=sentence) for target in targets])
    with transaction.atomic():
        digest = digest_of(decision, targets)
        if (made := Batch.objects.filter(user_id=user.pk, key=key).first()) is None:
            answers, intents = _answers(user, targets, decision, now)
            made = _batch(user, key, digest, answers, now)
            if made is not None:
                return _keep(made, by, targets, answers, intents)
            made = Batch.objects.get(user_id=user.pk, key=key)
        return _repeated(made, digest, targets)


def undo(*, user: User, by: Actor, batch: Batch | int, now: datetime) -> Undone:
    """Take back what has not left yet of a decision of the person's own: everything, before ``undo_until``."""
    key = batch if isinstance(batch, int) else batch.pk
    with transaction.atomic():
        mine = Intent.objects.filter(batch_id=key, batch__user_id=user.pk, user_id=user.pk)
        return _cancel(list(mine.values_list("pk", flat=True)), user, by, now)


def cancel(*, user: User, by: Actor, intents: Sequence[int], now: datetime) -> Undone:
    """Take back single changes, one's own or a colleague's, in tenants that the person may triage."""
    with transaction.atomic():
        return _cancel(list(intents), user, by, now)


def settle(*, user: User, by: Actor, intent: Intent | int, choice: str, now: datetime) -> Answer:
    """A person's choice about a conflict or a merge: "mine" sends the own value (or to the target), "theirs" does not.

    "mine" is for whoever decided; a colleague decides anew instead, in their own name.
    """
    if choice not in {"mine", "theirs"}:
        raise ValueError("choice is mine or theirs")
    key = intent if isinstance(intent, int) else intent.pk
    with transaction.atomic():
        found = next(iter(_locked([key], user)), None)
        if found is None:
            return Answer(Target("", 0), code="not-found", sentence="There is no such change among yours.")
        target = Target(found.tenant.slug, found.asked_number or found.number)
        if found.state != IntentState.CONFLICT:
            sentence = f"This change is not waiting for a choice any more: it is {found.get_state_display().lower()}."
            return Answer(target, [found], "too-late", sentence)
        answer = _theirs(found, target, now) if choice == "theirs" else _mine(found, target, user, now)
        if not answer.code:
            record(_event(by, "settle change", found, choice=choice))
        return answer


def _answers(
    user: User, targets: Sequence[Target], decision: Decision, now: datetime
) -> tuple[list[Answer], list[Intent]]:
    grounds = look(user, targets, decision)
    answers: dict[Target, Answer] = {}
    made: dict[int, list[Intent]] = {}
    # What was merged comes last: of the incident that it leads to, the person may have seen a value of its own.
    for target in sorted(targets, key=lambda one: grounds.found[one.tenant, one.number].is_merged):
        found = grounds.found[target.tenant, target.number]
        answer = refusal(target, found)
        if answer is None and found.target is not None and found.target.pk in made:
            answer = Answer(target, made[found.target.pk])
        if answer is None:
            answer = _decided(target, found, grounds, decision, user, now)
            if found.target is not None and answer.intents:
                made[found.target.pk] = list(answer.intents)
        answers[target] = answer
    return [answers[target] for target in targets], [intent for intents in made.values() for intent in intents]


def refusal(target: Target, found: Found) -> Answer | None:
    """Why nothing can be decided here, if so."""
    if found.incident is None:
        return Answer(target, code="not-found", sentence=_NOT_FOUND)
    if not found.may_triage:
        sentence = f"You may read the incidents of {found.incident.tenant.name}, but not change them."
        return Answer(target, code="not-allowed", sentence=sentence, step="Ask staff for the role analyst there.")
    if not found.access.is_open:
        reason = f"{found.incident.tenant.name} is read-only: {found.access.reason}"
        return Answer(target, code="read-only", sentence=reason, step=found.access.step)
    if found.incident.is_stub:
        step = "Change it in the Defender portal, or look at its bytes in quarantine."
        return Answer(target, code="unreadable", sentence="This incident could not be read.", step=step)
    if found.incident.redirect_number is not None and not (found.target and target.to_merged == found.target.number):
        return _merged(target, found)
    return None


def _merged(target: Target, found: Found) -> Answer:
    into = found.target.number if found.target else found.incident.redirect_number if found.incident else None
    sentence = f"Incident {target.number} was merged into incident {into}."
    if found.target is None:
        step = "That one has not been read yet. Try again after the next sync."
        return Answer(target, code="merged", sentence=sentence, step=step)
    step = f"Confirm that the change goes to incident {into}."
    return Answer(target, code="merged", sentence=sentence, step=step, merged_into=into)


def _decided(target: Target, found: Found, grounds: Grounds, decision: Decision, user: User, now: datetime) -> Answer:
    if found.target is None or found.incident is None:
        raise RuntimeError("A target that was not found has been refused before.")
    ground = grounds.ground[found.target.pk]
    is_merged = found.target.pk != found.incident.pk
    try:
        # Of a merged incident the page showed the shell; whoever confirms the target means it as it is.
        changes = changes_of(decision, Target(target.tenant, target.number) if is_merged else target, ground)
    except NotAssignable:
        sentence = f"Nobody who may triage {ground.incident.tenant.name} is written under that address there."
        step = "Choose another person, or ask staff to set the address."
        return Answer(target, code="not-assignable", sentence=sentence, step=step)
    if not changes:
        return Answer(target, code="nothing-to-change", sentence="It is that way already.")
    asked = found.incident.number if is_merged else None
    intents = [_intent(change, ground.incident, asked, user, now) for change in changes]
    if any(change.conflict is not None for change in changes):
        step = "Choose, of each, your value or the one that stands there now."
        return Answer(target, intents, "conflict", conflict_sentence(changes), step)
    return Answer(target, intents)


def _intent(change: Change, incident: Incident, asked: int | None, user: User, now: datetime) -> Intent:
    is_comment = change.field == Field.COMMENT
    is_conflict = change.conflict is not None
    return Intent(
        tenant=incident.tenant,
        incident=incident,
        number=incident.number,
        asked_number=asked,
        user=user,
        field=change.field,
        seen=change.seen,
        wanted=change.wanted,
        remote=change.conflict,
        mark="".join(secrets.choice(_ALPHABET) for _ in range(_MARK)) if is_comment else "",
        initials=initials_of(user) if is_comment else "",
        state=IntentState.CONFLICT if is_conflict else IntentState.QUEUED,
        code="changed" if is_conflict else "",
        due_at=None if is_conflict else now + settings.TRIAGE_UNDO,
        decided_at=now,
    )


def _batch(user: User, key: str, digest: bytes, answers: Sequence[Answer], now: datetime) -> Batch | None:
    """The decision's row; None where the same key came in at the same moment and was first."""
    kept = [
        {
            "incident": answer.intents[0].incident_id if answer.intents else None,
            "tenant": answer.target.tenant,
            "number": answer.target.number,
            "code": answer.code,
            "sentence": answer.sentence,
            "step": answer.step,
            "merged_into": answer.merged_into,
        }
        for answer in answers
    ]
    try:
        with transaction.atomic():
            return Batch.objects.create(
                user=user, key=key, digest=digest, answers=kept, decided_at=now, undo_until=now + settings.TRIAGE_UNDO
            )
    except IntegrityError:
        return None


def _keep(batch: Batch, by: Actor, targets: Sequence[Target], answers: list[Answer], intents: Sequence[Intent]) -> Bulk:
    """Everything into the database. The audit log comes last: it is locked from then until the commit."""
    for intent in intents:
        intent.batch = batch
    # First, for new rows lock deliveries, and whoever locks both locks changes first.
    overtaken = _overtake(intents, batch.decided_at)
    Intent.objects.bulk_create(sorted(intents, key=lambda one: one.tenant_id))
    denied = [answer for answer in answers if answer.code in {"not-found", "not-allowed"}]
    record(
        *(_event(by, "decide", intent, value=_told(intent)) for intent in intents),
        *(_event(by, "overtake change", intent) for intent in overtaken),
        *(_denied(by, answer) for answer in denied),
    )
    return Bulk(batch, answers)


def _overtake(intents: Sequence[Intent], now: datetime) -> list[Intent]:
    """A new decision about a field answers the conflict in which an older one stands, whosever it was. Before it is in
    the database itself."""
    fields = {(one.incident_id, one.field) for one in intents if one.field not in {Field.COMMENT, Field.TAGS}}
    standing = Intent.objects.select_for_update(of=("self",)).filter(
        incident_id__in={key for key, _ in fields}, state=IntentState.CONFLICT
    )
    standing = standing.select_related("tenant").order_by("pk")
    overtaken = [one for one in standing if (one.incident_id, one.field) in fields]
    _settle(overtaken, IntentState.CANCELLED, now, code="overtaken", detail="A later decision took its place.")
    return overtaken


def _repeated(batch: Batch, digest: bytes, targets: Sequence[Target]) -> Bulk:
    """The answer that was given before, with what has become of it since."""
    if bytes(batch.digest) != digest:
        sentence = "This form was used for another decision already. Load the page anew and decide again."
        return Bulk(None, [Answer(target, code="key-used", sentence=sentence) for target in targets], is_repeat=True)
    intents: dict[int, list[Intent]] = {}
    for intent in Intent.objects.filter(batch_id=batch.pk).order_by("pk"):
        intents.setdefault(intent.incident_id, []).append(intent)
    sight = in_sight(batch.user_id, {target.tenant for target in targets})
    kept = {(one["tenant"], one["number"]): one for one in batch.answers if one["tenant"] in sight}
    return Bulk(batch, [_again(target, kept, intents) for target in targets], is_repeat=True)


def _again(target: Target, kept: dict[tuple[str, int], Any], intents: dict[int, list[Intent]]) -> Answer:
    one = kept.get((target.tenant, target.number))
    if one is None:
        return Answer(target, code="not-found", sentence=_NOT_FOUND)
    made = intents.get(one["incident"], [])
    return Answer(target, made, one["code"], one["sentence"], one["step"], one["merged_into"])


def _cancel(keys: Sequence[int], user: User, by: Actor, now: datetime) -> Undone:
    found = _locked(keys, user)
    cancelled = [one for one in found if one.state in CANCELLABLE]
    too_late = [one for one in found if one.state not in CANCELLABLE and one.state not in SETTLED]
    _settle(cancelled, IntentState.CANCELLED, now, code="taken-back", detail=f"Taken back by {user.display_name}.")
    _rebase(cancelled)
    if cancelled:
        record(*(_event(by, "take back change", one) for one in cancelled))
    return Undone(cancelled, too_late)


def _rebase(cancelled: Sequence[Intent]) -> None:
    """What was decided later saw the value that now never comes: it stands on what stood before."""
    for gone in reversed(cancelled):
        if gone.field in {Field.ASSIGNED_TO, Field.STATUS, Field.CLASSIFICATION}:
            later = Intent.objects.filter(incident_id=gone.incident_id, field=gone.field, pk__gt=gone.pk)
            later.filter(state__in=UNSENT, seen=gone.wanted).update(seen=gone.seen)


def _locked(keys: Sequence[int], user: User) -> list[Intent]:
    """The intents that the person may change, locked in the order in which everybody locks them."""
    rows = Intent.objects.select_for_update(of=("self",)).filter(pk__in=keys).select_related("tenant", "incident")
    found = list(rows.order_by("pk"))
    triaged = {tenant for tenant in {one.tenant_id for one in found} if may(user, tenant, to=Permission.TRIAGE)}
    return [one for one in found if one.tenant_id in triaged]


def _settle(intents: Sequence[Intent], state: IntentState, now: datetime, *, code: str, detail: str) -> None:
    values = {"state": state, "due_at": None, "settled_at": now, "code": code, "detail": detail[:600], "step": ""}
    Intent.objects.filter(pk__in=[one.pk for one in intents]).update(**values)
    for one in intents:
        for name, value in values.items():
            setattr(one, name, value)


def _theirs(found: Intent, target: Target, now: datetime) -> Answer:
    detail = "Microsoft's value was kept." if found.code != "merged" else "It was not sent to the other incident."
    _settle([found], IntentState.CANCELLED, now, code="theirs", detail=detail)
    return Answer(target, [found])


def _mine(found: Intent, target: Target, user: User, now: datetime) -> Answer:
    if found.user_id != user.pk:
        step = "Decide anew; that takes the place of this change."
        return Answer(target, [found], "not-yours", "Only whoever decided it can send it again.", step)
    access = write_access(found.tenant)
    if not access.is_open:
        return Answer(target, [found], "read-only", f"{found.tenant.name} is read-only: {access.reason}", access.step)
    values: dict[str, Any] = {"remote": None, "code": "", "detail": "", "step": "", "reference": ""}
    values |= {"state": IntentState.QUEUED, "due_at": now + settings.TRIAGE_UNDO, "seen": found.remote}
    if found.code == "merged":
        end = end_of(found.incident)
        if end is None or end.pk == found.incident_id:
            sentence, step = "The incident it was merged into has not been read yet.", "Try again after the next sync."
            return Answer(target, [found], "merged", sentence, step)
        if Intent.objects.filter(batch_id=found.batch_id, incident_id=end.pk, field=found.field).exists():
            detail = f"The same change goes to incident {end.number} already."
            _settle([found], IntentState.CANCELLED, now, code="same", detail=detail)
            return Answer(target, [found])
        if end.number != found.remote:
            return _led_on(found, target, end)
        seen = "" if found.field == Field.COMMENT else of_one(end).shown.of(found.field)
        values |= {"incident_id": end.pk, "number": end.number, "asked_number": found.asked_number or found.number}
        values |= {"seen": seen}
    Intent.objects.filter(pk=found.pk).update(**values)
    for name, value in values.items():
        setattr(found, name, value)
    return Answer(target, [found])


def _led_on(found: Intent, target: Target, end: Incident) -> Answer:
    """It leads further than the person was told: asked once more, about the incident that it would go to."""
    told = {"remote": end.number, "detail": f"By now it leads to incident {end.number}. Nothing was sent there."}
    told["step"] = f"Send it to incident {end.number}, or drop it."
    Intent.objects.filter(pk=found.pk).update(**told)
    for name, value in told.items():
        setattr(found, name, value)
    return Answer(target, [found], "merged", found.detail, found.step, end.number)


def _told(intent: Intent) -> str:
    """What the audit log keeps of a value: no text that somebody typed."""
    if intent.field == Field.COMMENT:
        return f"ref {intent.mark}"
    if intent.field == Field.TAGS:
        return f"{len(intent.wanted['add'])} added, {len(intent.wanted['remove'])} removed"
    return ", ".join(intent.wanted) if isinstance(intent.wanted, list) else str(intent.wanted)


def _event(by: Actor, action: str, intent: Intent, **details: str) -> Event:
    tenant = intent.tenant.entra_id
    told = {"field": intent.field, "change": intent.pk, **details}
    return Event(by=by, action=action, tenant=tenant, subject=f"incident {intent.number}", details=told)


def _denied(by: Actor, answer: Answer) -> Event:
    asked = {"tenant": answer.target.tenant[:80], "number": answer.target.number, "code": answer.code}
    return Event(by=by, action="decide", subject="an incident", outcome=Outcome.DENIED, details=asked)
