"""How a delivery ends that did not go through: what is written down, when it is tried again, and who is told.

Each function locks the unit's intents, checks the claim, and writes everything in one transaction. What may have
reached Microsoft is never called unsent: it stays *uncertain* until somebody has read what stands there.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import structlog
from django.conf import settings

from audit.record import WORKER, Event, record
from defender import errors
from defender.errors import DefenderError
from incidents import deliveries, writing
from incidents.deliveries import Claim
from incidents.models import Incident, Intent, IntentState
from tenants import budget, consent, scope
from tenants.alarms import raise_alarm
from tenants.models import Tenant
from tenants.states import words_for
from tenants.stop import STOPPED

log = structlog.get_logger("portal.outbox")

# Ours: so many tries that fail, with waits that double up to SYNC_LONGEST_WAIT: about an hour and a half.
TRIES: Final = 12
# Ours: how often a tenant that cannot be written to is looked at again. That asks our own database only.
HELD_FOR: Final = timedelta(minutes=1)
_THROTTLED: Final = "Waiting for Microsoft"
_CONSENT: Final = (errors.ConsentMissing, errors.ResourceMissing, errors.TenantUnknown)


@dataclass(slots=True)
class Unit:
    """What one decision changes in one incident. ``is_look``: Microsoft has taken it, and it is only looked at again.

    ``is_writing``: a PATCH has been sent, so an answer that is lost leaves its outcome unknown.
    """

    claim: Claim
    tenant: Tenant
    intents: list[Intent]
    is_look: bool = False
    is_writing: bool = False
    incident_id: int = 0
    number: int = 0
    was_uncertain: frozenset[int] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        """What stays while intents leave the unit. One found as *sending* was left by a worker that is gone."""
        if self.intents:
            self.incident_id, self.number = self.intents[0].incident_id, self.intents[0].number
        unsure = {IntentState.SENDING, IntentState.UNCERTAIN}
        self.was_uncertain = frozenset(intent.pk for intent in self.intents if intent.state in unsure)

    def is_unsure(self, intent: Intent) -> bool:
        """Whether it may stand at Microsoft already."""
        return self.is_look or self.is_writing or intent.pk in self.was_uncertain

    @property
    def states(self) -> frozenset[str]:
        """The states in which its changes are while it is under way. A sync may confirm what is looked at again."""
        return frozenset({IntentState.SENT if self.is_look else IntentState.SENDING})


def locked(keys: Iterable[int]) -> list[Intent]:
    """The intents with their people, locked in the order in which everybody locks them."""
    rows = Intent.objects.select_for_update(of=("self",)).filter(pk__in=list(keys))
    return list(rows.select_related("user").order_by("pk"))


def relock(unit: Unit) -> None:
    """At the beginning of a transaction that ends a try: what is still under way, locked, under a claim that holds."""
    unit.intents = [one for one in locked(one.pk for one in unit.intents) if one.state in unit.states]
    deliveries.fence(unit.claim)


def put(intents: Iterable[Intent], **values: Any) -> None:
    """Write the same values into the rows and into what is in hand."""
    known = list(intents)
    if known:
        Intent.objects.filter(pk__in=[intent.pk for intent in known]).update(**values)
    for intent in known:
        for name, value in values.items():
            setattr(intent, name, value)


def failed(unit: Unit, error: DefenderError, *, now: datetime) -> bool:
    """Microsoft, or the way to Microsoft, stood in the way. Returns whether the tenant's next unit may be tried."""
    log.warning("delivery failed", number=unit.number, reason=error.code, writing=unit.is_writing)
    _ask_less(unit, error)
    with scope.tenant(unit.tenant.pk):
        relock(unit)
        goes_on = _ending(unit, error, now)
    _consequences(unit, error, now)
    return goes_on


def _ask_less(unit: Unit, error: DefenderError) -> None:
    """First, and by itself: should this worker die now, the next one must know of the wait."""
    if isinstance(error, errors.Throttled) and error.code not in {budget.OUR_OWN, STOPPED}:
        verb = "patch" if unit.is_writing else "get"
        budget.block(tenant_id=unit.tenant.pk, verb=verb, seconds=error.retry_after or 60.0)


def _ending(unit: Unit, error: DefenderError, now: datetime) -> bool:
    """Each kind of error has its consequence."""
    if isinstance(error, errors.Throttled):
        _wait(unit, timedelta(seconds=error.retry_after or 60.0), _THROTTLED, now)
        return False
    if isinstance(error, errors.CredentialFault):
        _wait(unit, settings.CREDENTIAL_WAIT * random.uniform(1.0, 1.5), error.sentence, now)  # noqa: S311  spreads load
        return False
    if isinstance(error, _CONSENT):
        _keep(unit, error.code, error.sentence, error.step, now)
        return False
    if isinstance(error, errors.Forbidden) and unit.is_writing:
        writing.switch_off(tenant=unit.tenant, error=error, now=now)
        refuse(unit, unit.intents, **_why(error), now=now)
        return True
    if isinstance(error, errors.NotFound):
        Incident.objects.filter(number=unit.number, gone_at=None).update(gone_at=now, changed_at=now)
        refuse(unit, unit.intents, code=error.code, detail="This incident is no longer in Defender.", now=now)
        return True
    if isinstance(error, errors.Rejected):
        refuse(unit, unit.intents, **{**_why(error), "detail": error.detail or error.sentence}, now=now)
        return True
    if isinstance(error, errors.BadInput):
        give_up(unit, unit.intents, **_why(error), now=now)
        return True
    return _again(unit, error, now)


def _why(error: DefenderError) -> dict[str, str]:
    return {
        "code": error.code[:64],
        "detail": error.sentence[:600],
        "step": error.step[:600],
        "reference": (error.reference or "")[:128],
    }


def _consequences(unit: Unit, error: DefenderError, now: datetime) -> None:
    """For the tenant as a whole, as when it is read."""
    with scope.operations():
        if isinstance(error, _CONSENT):
            consent.lose_consent(tenant=unit.tenant, error=error, now=now)
        elif isinstance(error, errors.Unauthorized) or (isinstance(error, errors.Forbidden) and not unit.is_writing):
            consent.note_forbidden(tenant=unit.tenant, error=error, now=now)
        elif isinstance(error, errors.WrongToken):
            step = "Nothing was sent with it. Find out how it came about before anything else."
            sentence = f"{unit.tenant.name}: {error.sentence}"
            raise_alarm(key=f"wrong-token-{unit.tenant.pk}", sentence=sentence, step=step, now=now)


def _wait(unit: Unit, wait: timedelta, why: str, now: datetime) -> None:
    """Everything of this tenant waits, and no attempt is counted."""
    until = now + wait
    detail = f"{why} until {until:%H:%M:%S} UTC." if why == _THROTTLED else why
    _rest(unit, until, detail=detail[:600])
    _postpone(unit, until)


def _postpone(unit: Unit, until: datetime) -> None:
    """What else of the tenant is due would meet the same answer."""
    others = Intent.objects.filter(tenant_id=unit.tenant.pk, due_at__lt=until)
    others.exclude(pk__in=[one.pk for one in unit.intents]).update(due_at=until)


def _rest(unit: Unit, until: datetime, *, lost: bool = False, **told: Any) -> None:
    """Back to where it was before this try. ``lost``: what was sent may have arrived."""
    if unit.is_look:
        put(unit.intents, due_at=until, attempts=told.get("attempts", 0))
        return
    for intent in unit.intents:
        is_unsure = lost or intent.pk in unit.was_uncertain
        state = IntentState.UNCERTAIN if is_unsure else IntentState.QUEUED
        put([intent], state=state, due_at=until, **told)


def _again(unit: Unit, error: DefenderError, now: datetime) -> bool:
    """One failure more, and another try after a longer wait; at last it is given up. Whether the next unit may go."""
    over = [intent for intent in unit.intents if intent.attempts + 1 >= TRIES]
    give_up(unit, over, **_why(error), now=now)
    attempts = max((intent.attempts for intent in unit.intents), default=0) + 1
    wait = max(_back_off(attempts), timedelta(seconds=getattr(error, "retry_after", None) or 0))
    lost = unit.is_writing and isinstance(error, errors.Transient)
    if lost:
        wait = max(wait, settings.TRIAGE_LOOK)
    if isinstance(error, errors.WrongToken):
        wait = settings.SYNC_LONGEST_WAIT
    _rest(unit, now + wait, lost=lost, attempts=attempts, **_why(error))
    if isinstance(error, errors.Forbidden | errors.Unauthorized | errors.WrongToken):
        _postpone(unit, now + wait)
        return False
    return True


def _back_off(attempts: int) -> timedelta:
    """Doubling from SYNC_FIRST_WAIT to SYNC_LONGEST_WAIT, a half of it by chance."""
    wait: timedelta = min(settings.SYNC_FIRST_WAIT * 2 ** min(attempts - 1, 20), settings.SYNC_LONGEST_WAIT)
    return wait * random.uniform(0.5, 1.0)  # noqa: S311  jitter, no secret


def hold(unit: Unit, *, now: datetime) -> None:
    """The tenant is not connected: kept, in the caller's transaction, and looked at again without a call."""
    words = words_for(unit.tenant)
    _keep(unit, unit.tenant.state_code or "not-connected", words.sentence, words.step, now)
    unit.intents = []


def _keep(unit: Unit, code: str, sentence: str, step: str, now: datetime) -> None:
    told = {"code": code[:64], "detail": sentence[:600], "step": step[:600], "due_at": now + HELD_FOR}
    if unit.is_look:
        put(unit.intents, due_at=now + HELD_FOR)
        return
    for intent in unit.intents:
        unsure = intent.pk in unit.was_uncertain
        put([intent], state=IntentState.UNCERTAIN if unsure else IntentState.HELD, **told)


def refuse(
    unit: Unit,
    intents: Sequence[Intent],
    *,
    code: str,
    detail: str,
    now: datetime,
    step: str = "",
    reference: str = "",
) -> None:
    """It will not happen, and says why; in the caller's transaction. Our copy shows Microsoft's values again."""
    _end(unit, intents, IntentState.REFUSED, now, code=code, detail=detail, step=step, reference=reference)


def give_up(
    unit: Unit,
    intents: Sequence[Intent],
    *,
    code: str,
    detail: str,
    now: datetime,
    step: str = "",
    reference: str = "",
) -> None:
    """Tried too often, or a fault of ours; in the caller's transaction. Says so where the outcome is not known."""
    for intent in intents:
        unknown = " It is not known whether it has arrived." if unit.is_unsure(intent) else ""
        told = f"{detail[:500]}{unknown}"
        _end(unit, [intent], IntentState.EXCEEDED, now, code=code, detail=told, step=step, reference=reference)


def _end(unit: Unit, intents: Sequence[Intent], state: IntentState, now: datetime, **why: str) -> None:
    known = list(intents)
    unit.intents = [intent for intent in unit.intents if intent not in known]
    cut = {"code": why["code"][:64] or "refused", "detail": why["detail"][:600], "step": why["step"][:600]}
    put(known, state=state, due_at=None, settled_at=now, reference=why["reference"][:128], **cut)
    told(unit, known)


def internal(unit: Unit, *, now: datetime) -> None:
    """A fault of the portal, called while its exception is handled: logged in full, shown with a reference only."""
    reference = uuid4().hex[:12]
    log.exception("delivery ended by a fault of the portal", reference=reference, number=unit.number)
    with scope.tenant(unit.tenant.pk):
        relock(unit)
        detail = "A fault of the portal; the log has it under the reference."
        give_up(unit, list(unit.intents), code="internal", detail=detail, reference=reference, now=now)


def told(unit: Unit, intents: Sequence[Intent]) -> None:
    """One line per change that has reached an end, or Microsoft; in the caller's transaction."""
    events = [
        Event(
            by=WORKER,
            action=f"change {intent.state}",
            tenant=unit.tenant.entra_id,
            subject=f"incident {intent.number}",
            details={"field": intent.field, "change": intent.pk, "for": intent.user_id, "code": intent.code},
        )
        for intent in intents
    ]
    if events:
        record(*events)
