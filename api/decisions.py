"""Decisions by programs: made, looked after and taken back through the same door as people's (``incidents.triage``).

The header Idempotency-Key names a decision. The same key is the same decision, however often it is sent; sent with
other content it is refused. Keys are the owner's: all tokens of one owner share them.
"""

import re
from hashlib import blake2b
from typing import Final

from django.http import Http404

from api import decision_schema as schema
from api.models import Verb
from api.operations import Call, operation, resource
from api.problems import Problem
from api.schema import NoQuery
from incidents import triage
from incidents.freshness import tenants_for
from incidents.models import Batch
from incidents.pending import BatchView, PendingIntent, batch_for

KEY: Final = "Idempotency-Key"
ABOUT_KEY: Final = "Names the decision, such as a UUID: 1 to 64 letters, digits, - and _."
_KEY: Final = re.compile(r"[-A-Za-z0-9_]{1,64}")
# What the whole request is to blame for, and not one incident.
_STATUS_OF: Final = {"invalid": 422, "key-used": 422}


@operation(
    verb=Verb.TRIAGE,
    summary="Decide on one incident or many",
    query=NoQuery,
    body=schema.NewDecision,
    answer=schema.Decided,
    status=202,
    headers={KEY: ABOUT_KEY},
    refusals={422: "The decision makes no sense, or its key was used for another."},
)
def make_decision(call: Call) -> schema.Decided:
    """Accepted is not done: it is sent after the time for taking it back. Each incident has an answer of its own."""
    asked: schema.NewDecision = call.body
    bulk = triage.decide(
        user=call.user, by=call.by, targets=schema.targets_of(asked), decision=schema.decision_of(asked.decision),
        key=kept(_key_of(call)), now=call.now,
    )  # fmt: skip
    if bulk.batch is None:
        code = bulk.answers[0].code
        if code in _STATUS_OF:
            raise Problem(_STATUS_OF[code], bulk.answers[0].sentence, code=code)
    return schema.Decided(
        key=_key_of(call),
        is_repeat=bulk.is_repeat,
        undo_until=bulk.batch.undo_until if bulk.batch else None,
        answers=[schema.answer_of(answer) for answer in bulk.answers],
    )


@operation(verb=Verb.TRIAGE, summary="What has become of a decision", query=NoQuery, answer=schema.Progress)
def read_decision(call: Call, key: str) -> schema.Progress:
    """Its changes in the tenants of the token, with the state of each."""
    return _progress(call, key, _found(call, key))


@operation(verb=Verb.TRIAGE, summary="Take a decision back", query=NoQuery, answer=schema.TakenBack)
def cancel_decision(call: Call, key: str) -> schema.TakenBack:
    """What has not been sent yet is cancelled; what is under way is named as too late."""
    batch = _found(call, key)
    mine = [intent.pk for intent, _ in _shown(call, batch).intents]
    undone = triage.cancel(user=call.user, by=call.by, intents=mine, now=call.now)
    return schema.TakenBack(
        cancelled=len(undone.cancelled), too_late=len(undone.too_late), decision=_progress(call, key, batch)
    )


def _key_of(call: Call) -> str:
    key = call.request.headers.get(KEY, "")
    if not _KEY.fullmatch(key):
        raise Problem(400, f"Send the header {KEY}. {ABOUT_KEY}")
    return key


def kept(key: str) -> str:
    """Pages draw keys of their own; this is never one of them."""
    return f"api-{blake2b(key.encode(), digest_size=20).hexdigest()}"


def _found(call: Call, key: str) -> Batch:
    batch = Batch.objects.filter(user_id=call.user.pk, key=kept(key)).first()
    if batch is None:
        raise Http404
    return batch


def _shown(call: Call, batch: Batch) -> BatchView:
    view = batch_for(call.user, batch.pk)
    if view is None:
        raise Http404
    return view


def _progress(call: Call, key: str, batch: Batch) -> schema.Progress:
    """An answer about a tenant that the token is not for is left out, as its changes are."""
    view, slugs = _shown(call, batch), {tenant.slug for tenant in tenants_for(call.user, call.now)}
    return schema.Progress(
        key=key,
        decided_at=view.decided_at,
        undo_until=view.undo_until,
        is_settled=view.is_settled,
        changes=[_change(intent.tenant.slug, shown) for intent, shown in view.intents],
        refused=[
            schema.Refusal(one["tenant"], one["number"], one["code"], one["sentence"], one["step"])
            for one in view.refused
            if one["tenant"] in slugs
        ],
    )


def _change(tenant: str, shown: PendingIntent) -> schema.ChangeState:
    return schema.ChangeState(
        id=shown.id,
        tenant=tenant,
        number=shown.number,
        field=shown.field,
        wanted=shown.wanted,
        state=shown.state,  # type: ignore[arg-type]
        sentence=shown.sentence,
        detail=shown.detail,
        step=shown.step,
        remote=shown.remote,
        may_cancel=shown.may_cancel,
    )


made = resource(POST=make_decision)
one = resource(GET=read_decision)
cancelled = resource(POST=cancel_decision)
