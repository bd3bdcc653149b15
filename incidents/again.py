"""A change that Microsoft refused or that was given up, decided once more."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q

from accounts.models import User
from audit.record import Actor
from incidents import triage
from incidents.decisions import Answer, Decision, Target, token_of_field
from incidents.models import Batch, Field, Intent, IntentState
from incidents.pending import FAILED


def again(*, user: User, by: Actor, intent: int, now: datetime, to_merged: int | None = None) -> Answer | None:
    """The answer to the same decision made anew; None where no failed change of the person's own has this key.

    It stands on what the person saw then: what somebody else has set since becomes a conflict. ``to_merged`` as in
    ``Target``, where the incident has been merged since. The new decision's key is made of the old change,
    so that asking twice decides once. Audited by ``triage.decide``.
    """
    rows = Intent.objects.filter(pk=intent, user_id=user.pk, state__in=FAILED)
    failed = rows.select_related("tenant").first()
    if failed is None:
        return None
    target = Target(failed.tenant.slug, failed.number, seen=_seen(failed), to_merged=to_merged)
    decision, key = decision_again(failed), _key(user, failed)
    return triage.decide(user=user, by=by, targets=[target], decision=decision, key=key, now=now).answers[0]


def _seen(failed: Intent) -> str:
    return "" if failed.field in {Field.TAGS, Field.COMMENT} else token_of_field(failed.field, failed.seen)


def _key(user: User, failed: Intent) -> str:
    """The same until the decision that was made with it has come to nothing: refused at once, or taken back."""
    first = f"again-{failed.pk}"
    tries = Batch.objects.filter(Q(key=first) | Q(key__startswith=f"{first}-"), user_id=user.pk)
    left = Intent.objects.filter(batch_id=OuterRef("pk")).exclude(state=IntentState.CANCELLED)
    spent = tries.exclude(Exists(left)).count()
    return f"{first}-{spent}" if spent else first


def decision_again(intent: Intent) -> Decision:
    """What the intent wanted, as a decision."""
    wanted: Any = intent.wanted
    if intent.field == Field.CLASSIFICATION:
        return Decision(classification=wanted[0], determination=wanted[1])
    if intent.field == Field.TAGS:
        return Decision(add_tags=tuple(wanted["add"]), remove_tags=tuple(wanted["remove"]))
    if intent.field == Field.COMMENT:
        return Decision(comment=wanted)
    return Decision(status=wanted) if intent.field == Field.STATUS else Decision(assigned_to=wanted)
