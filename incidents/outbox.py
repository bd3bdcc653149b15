"""Carries what analysts decided to Microsoft.

The contract. A worker claims a tenant (``incidents.deliveries``) and carries its changes one unit after the other: what
one decision changes in one incident, earlier decisions of an incident before later ones. Of each unit it looks whether
the person may still do this, reads the incident as it is at Microsoft now, and compares (``incidents.verdicts``): what
stands there already is confirmed without a write, what somebody else changed is a conflict and is not overwritten, the
rest goes out in one PATCH of the changed fields. Calls are made outside any transaction, and right before each the
claim is checked once more.

Whatever happens in between (an answer that is lost, a worker that is killed, a backup that is older than Microsoft),
the next one begins by reading again, and a comment is looked for by its reference: so nothing is done twice. What
Microsoft has taken is *sent*; a sync that shows it makes it *confirmed* (``incidents.witness``).
"""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from datetime import datetime
from functools import cache
from typing import Any, Final

import structlog
from django.conf import settings
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from accounts.roles import Permission
from defender.client import DefenderClient
from defender.decoding import Unreadable
from defender.errors import DefenderError, Transient
from incidents import deliveries, outbox_endings, values
from incidents.access import may
from incidents.deliveries import Claim
from incidents.models import UNSENT, Field, Intent, IntentState
from incidents.outbox_endings import Unit, locked, put
from incidents.stopping import is_stopping
from incidents.store import store_page
from incidents.verdicts import Verdict, body, is_done, judge, look_again
from incidents.writing import write_access
from tenants import leases, scope
from tenants.clients import client_for
from tenants.database import CUT, again_if_cut
from tenants.leases import Fenced
from tenants.models import SYNCING, Tenant

log = structlog.get_logger("portal.outbox")

BUSY_FOR: Final = 30.0  # seconds one wake-up, and one tenant in it, goes on before it makes room
SHARD: Final = 32  # tenants claimed at once
THREADS: Final = 8  # tenants written to at the same time by one process; Microsoft's limits are per tenant

_NEXT: Final = f"""
SELECT i.incident_id, i.batch_id, i.state = %(sent)s FROM incidents_intent i
WHERE i.tenant_id = %(tenant)s AND i.due_at <= statement_timestamp() AND {deliveries.IN_TURN}
ORDER BY i.due_at, i.id LIMIT 1
"""  # noqa: S608  a constant of ours


@cache
def threads() -> Executor:
    """The threads of this process, made on first use."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix="outbox")


def work(*, pool: Executor | None = None) -> int:
    """Claim tenants and carry their changes until nothing is due or BUSY_FOR is over. Returns how many were claimed."""
    until, claimed = time.monotonic() + BUSY_FOR, 0
    while time.monotonic() < until and not is_stopping():
        claims = again_if_cut(lambda: deliveries.claim_due(limit=SHARD, owner=leases.owner()))
        if not claims:
            break
        claimed += len(claims)
        wait([(pool or threads()).submit(carry, claim) for claim in claims])
    return claimed


def carry(claim: Claim) -> None:
    """One tenant. Faults stay with it: a claim that is not given back runs out."""
    try:
        _carry(claim)
        deliveries.give_back(claim)
    except Fenced:
        log.warning("delivery fenced", tenant=claim.tenant_id, epoch=claim.epoch)
    except CUT as error:
        log.warning("delivery broken off by the database", error=str(error)[:200])
    except Exception:  # the outermost loop of a thread
        log.exception("delivery given up", tenant=claim.tenant_id)
    finally:
        if not connection.in_atomic_block:
            connection.close()


def _carry(claim: Claim) -> None:
    with scope.operations():
        tenant = Tenant.objects.get(pk=claim.tenant_id)
    until = time.monotonic() + BUSY_FOR
    with structlog.contextvars.bound_contextvars(tenant=str(tenant.entra_id)):
        while time.monotonic() < until and not is_stopping():
            unit = again_if_cut(lambda: take(claim, tenant))
            if unit is None:
                return
            if unit.intents and not deliver(unit):
                return


def deliver(unit: Unit) -> bool:
    """One unit, whatever comes of it; whether the tenant's next one may follow. Raises Fenced and DatabaseError."""
    try:
        _deliver(unit)
    except DefenderError as error:
        return outbox_endings.failed(unit, error, now=timezone.now())
    except (Fenced, *CUT):
        raise
    except Exception:  # noqa: BLE001  one change's bug must not keep the others
        outbox_endings.internal(unit, now=timezone.now())
    return True


def take(claim: Claim, tenant: Tenant) -> Unit | None:
    """The next unit that is due, marked as being sent; None where there is none. One without intents was settled."""
    now = timezone.now()
    with scope.tenant(claim.tenant_id):
        with connection.cursor() as cursor:
            cursor.execute(_NEXT, {"tenant": claim.tenant_id, **deliveries.waiting()})
            row = cursor.fetchone()
        if row is None:
            return None
        incident_id, batch_id, is_look = row
        states = [IntentState.SENT] if is_look else list(UNSENT)
        mine = Intent.objects.filter(incident_id=incident_id, batch_id=batch_id, state__in=states)
        intents = [
            one for one in locked(mine.filter(due_at__lte=Now()).values_list("pk", flat=True)) if one.state in states
        ]
        deliveries.fence(claim)
        unit = Unit(claim, tenant, intents, is_look=is_look)
        if not is_look:
            _mark(unit, now)
        return unit


def _mark(unit: Unit, now: datetime) -> None:
    """As being sent, but for what may not be sent any more."""
    unit.tenant.refresh_from_db()
    if unit.tenant.state not in SYNCING:
        outbox_endings.hold(unit, now=now)
        return
    # What a worker that is gone may have sent is read first, whatever has become of the right to send it.
    _refuse_barred(unit, [one for one in unit.intents if one.pk not in unit.was_uncertain], now)
    put(unit.intents, state=IntentState.SENDING, due_at=now)


def _refuse_barred(unit: Unit, intents: Sequence[Intent], now: datetime) -> None:
    """What its person may not send any more, or nobody may to this tenant; in the caller's transaction."""
    access = write_access(unit.tenant)
    for intent in list(intents):
        if not may(intent.user, unit.tenant.pk, to=Permission.TRIAGE):
            name = intent.user.display_name
            detail = f"{name} may not change incidents of this tenant any more. It was not sent."
            outbox_endings.refuse(unit, [intent], code="not-allowed", detail=detail, now=now)
        elif not access.is_open:
            outbox_endings.refuse(unit, [intent], code=access.code, detail=access.reason, step=access.step, now=now)


def _deliver(unit: Unit) -> None:
    client = client_for(unit.tenant, background=False, fence=lambda: deliveries.fence_now(unit.claim))
    answer = _look(unit, client)
    later = _later(unit)
    verdicts = (look_again if unit.is_look else judge)(unit.intents, answer, later)
    settle(unit, verdicts, now=timezone.now())
    to_send = [verdict for verdict in verdicts if verdict.state is None]
    if to_send and unit.was_uncertain:
        to_send = _still_allowed(unit, to_send)
    if to_send:
        _write(unit, client, to_send)


def _still_allowed(unit: Unit, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Of what has not arrived, what may still be sent; the rest is refused."""
    with scope.tenant(unit.tenant.pk):
        outbox_endings.relock(unit)
        _refuse_barred(unit, unit.intents, timezone.now())
    left = {intent.pk for intent in unit.intents}
    return [verdict for verdict in verdicts if verdict.intent.pk in left]


def _look(unit: Unit, client: DefenderClient) -> values.Answer:
    """The incident as it is at Microsoft now; our copy becomes that too."""
    unit.is_writing = False
    return _read(unit, client.incident(unit.number))


def _write(unit: Unit, client: DefenderClient, verdicts: Sequence[Verdict]) -> None:
    unit.intents = [verdict.intent for verdict in verdicts]
    unit.is_writing = True
    raw = client.update_incident(unit.number, body(verdicts))
    answer = _read(unit, raw)
    sent(unit, answer, now=timezone.now())


def _read(unit: Unit, raw: bytes) -> values.Answer:
    """An answer, through the store like any other. Raises Transient where nobody can read it."""
    store_page(tenant=unit.tenant, items=[raw], now=timezone.now(), fence=lambda: deliveries.fence(unit.claim))
    try:
        return values.read(raw)
    except Unreadable as problem:
        raise Transient(problem.sentence, code="unreadable") from problem


def settle(unit: Unit, verdicts: Iterable[Verdict], *, now: datetime) -> None:
    """Write down what needs no write at Microsoft: what stands there already, and conflicts."""
    by_key = {verdict.intent.pk: verdict for verdict in verdicts if verdict.state is not None}
    with scope.tenant(unit.tenant.pk):
        known = [one for one in locked(by_key) if one.state in unit.states]
        deliveries.fence(unit.claim)
        for intent in known:
            verdict = by_key[intent.pk]
            told = {"code": verdict.code, "detail": verdict.detail, "step": verdict.step, "remote": verdict.remote}
            at = None if verdict.state == IntentState.CONFLICT else now
            put([intent], state=verdict.state, due_at=None, settled_at=at, **told)
        outbox_endings.told(unit, known)


def sent(unit: Unit, answer: values.Answer, *, now: datetime) -> None:
    """Microsoft has answered a write: sent, where the answer shows what was meant; else it is looked at again.

    A comment is sent in any case: one that was taken and is not shown, such as one that was cut, would be doubled.
    """
    with scope.tenant(unit.tenant.pk):
        outbox_endings.relock(unit)
        agreed = [one for one in unit.intents if one.field == Field.COMMENT or is_done(one, answer)]
        unit.intents = [intent for intent in unit.intents if intent not in agreed]
        told: dict[str, Any] = {"sent_at": now, "answered_text": answer.updated_text, "attempts": 0}
        told |= {"code": "", "detail": "", "step": "", "reference": ""}
        put(agreed, state=IntentState.SENT, due_at=now + settings.TRIAGE_CONFIRM, **told)
        outbox_endings.told(unit, agreed)
    if unit.intents:
        raise Transient("Microsoft's answer does not show the change.", code="not-agreed")


def _later(unit: Unit) -> list[Intent]:
    first = min((intent.pk for intent in unit.intents), default=0)
    with scope.tenant(unit.tenant.pk):
        return list(Intent.objects.filter(incident_id=unit.incident_id, pk__gt=first).order_by("pk"))
