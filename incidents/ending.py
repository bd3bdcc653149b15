"""How a pass ends: what is written down, when the tenant is due again, and who is told.

Every function here settles the lease in one transaction with everything else it writes, and raises Fenced where the
lease is no longer ours; then nothing is written. ``state`` is the tenant's, as read under the lease: nobody but the
holder of the lease writes what is looked at here.
"""

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import structlog
from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from defender import errors
from defender.errors import DefenderError
from defender.times import later, parse_time
from incidents.stopping import is_stopping
from tenants import breaker, budget, consent, leases, scope
from tenants.alarms import clear_alarm, raise_alarm
from tenants.connection import lock
from tenants.leases import Lease
from tenants.models import SyncRun, SyncState, Tenant
from tenants.stop import STOPPED

log = structlog.get_logger("portal.sync")
Ended = SyncRun.Ended
Kind = SyncRun.Kind

# Ours: after so many failures in a row the tenant's breaker opens; until it ends only a person's wish starts a pass.
BREAKER_AFTER: Final = 3
# The network on our side: certificates that nobody vouches for, names that cannot be found, a proxy that refuses.
OUR_WAY_ALARM: Final = "way-to-microsoft"

_ENDED_BY: tuple[tuple[type[DefenderError], str], ...] = (
    (errors.Throttled, Ended.THROTTLED),
    (errors.Transient, Ended.TRANSIENT),
    (errors.ConsentMissing, Ended.CONSENT),
    (errors.ResourceMissing, Ended.CONSENT),
    (errors.TenantUnknown, Ended.CONSENT),
    (errors.CredentialFault, Ended.CREDENTIAL),
    (errors.Forbidden, Ended.FORBIDDEN),
    (errors.Unauthorized, Ended.FORBIDDEN),
    (errors.WrongToken, Ended.INTERNAL),
)
# A pass that is over leaves nothing to go on with.
_OVER: Final[dict[str, Any]] = {
    "pass_kind": "",
    "pass_since": "",
    "pass_skip": 0,
    "pass_newest": "",
    "pass_missing": 0,
    "pass_outdated": 0,
    "pass_silent": 0,
}
_WELL: Final[dict[str, Any]] = {"failures": 0, "breaker_until": None, "last_error_code": "", "last_error": ""}


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """What a pass did and how it ended, one of SyncRun.Ended; counts are of this part of a pass that goes on later."""

    ended: str
    kind: str
    started_at: datetime
    window_from: str = ""
    pages: int = 0
    seen: int = 0
    new: int = 0
    changed: int = 0
    merged: int = 0
    quarantined: int = 0
    detail: str = ""
    reference: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether the pass reached the last page."""
        return self.ended == Ended.COMPLETE

    @property
    def is_idle(self) -> bool:
        """Whether nobody needs to read about it."""
        return self.kind == Kind.POLL and not (self.new or self.changed or self.quarantined or self.detail)


def ended_by(error: DefenderError) -> str:
    """How a run that this error broke off is shown."""
    return next((ended for kind, ended in _ENDED_BY if isinstance(error, kind)), Ended.REJECTED)


def complete(lease: Lease, state: SyncState, outcome: SyncOutcome, *, watermark: str, **more: Any) -> SyncOutcome:
    """The last page was stored: the watermark moves, failures are over, ``more`` goes into the state as well."""
    now = timezone.now()
    with scope.operations():
        values = {**_OVER, **_WELL, **more, "last_ok_at": Now(), **_moved(state, watermark)}
        if state.backfilled_at is None:
            values["backfilled_at"] = now
        if outcome.kind != Kind.POLL or state.sweep_due_at is None:
            values["sweep_due_at"] = leases.after(settings.SYNC_SWEEP * random.uniform(0.9, 1.1))  # noqa: S311  spreads the load
        leases.settle(lease, due_in=settings.SYNC_POLL, **values)
        # A part that was handed back has taken the error out of the state, and left the alarm to this one.
        if state.failures or state.last_error_code or state.pass_kind:
            _all_clear(state.tenant, now)
        if not outcome.is_idle:
            _new_run(state.tenant, outcome, now)
    return outcome


def stopped(lease: Lease, state: SyncState, outcome: SyncOutcome, **more: Any) -> SyncOutcome:
    """The pass had to make room: the tenant is due at once, in the slow lane, and goes on where it was."""
    outcome = replace(outcome, detail=outcome.detail or "The pass was long; it goes on at the page it had reached.")
    with scope.operations():
        leases.settle(lease, due_in=timedelta(), **{**_WELL, "is_slow": not is_stopping(), **more})
        _note_run(state.tenant, outcome, again=True)
    return outcome


def failed(lease: Lease, state: SyncState, outcome: SyncOutcome, error: DefenderError, **more: Any) -> SyncOutcome:
    """Microsoft, or the way to Microsoft, stood in the way: each kind of error has its consequence."""
    outcome = replace(outcome, detail=error.sentence[:500], reference=(error.reference or "")[:120])
    tenant, due_in = state.tenant, _wait(error, 0 if outcome.pages else state.failures)
    if isinstance(error, errors.Throttled) and error.code not in {budget.OUR_OWN, STOPPED}:
        # First, and by itself: should this worker die now, the next one must know of the wait.
        budget.block(tenant_id=tenant.pk, verb="list", seconds=due_in.total_seconds())
    with scope.operations():
        lock(tenant)  # before its sync state, as whoever connects or disconnects it does
        again = state.last_error_code == error.code[:60]
        values: dict[str, Any] = {**more, "last_error_code": error.code[:60], "last_error": _shown(error)}
        if error.code == "paging-loop":
            values |= _OVER
        if not isinstance(error, errors.Throttled | errors.CredentialFault):
            values |= _counted(state, due_in, got_on=outcome.pages > 0)
        if isinstance(error, errors.Throttled) and error.code != STOPPED:
            values["last_error"] = f"Waiting for Microsoft until {timezone.now() + due_in:%H:%M:%S} UTC."
        leases.settle(lease, due_in=due_in, **values)
        _consequences(tenant, error)
        if breaker.OPEN not in error.details:  # nobody was asked: a thousand tenants have nothing to tell
            _note_run(tenant, outcome, again=again)
    log.warning("pass failed", ended=str(outcome.ended), reason=error.code, due_in=round(due_in.total_seconds()))
    return outcome


def internal(lease: Lease, state: SyncState, kind: str, started_at: datetime) -> SyncOutcome:
    """A fault of the portal, called while its exception is handled: logged in full, shown with a reference only."""
    reference = uuid4().hex[:12]
    log.exception("pass ended by a fault of the portal", reference=reference)
    detail = "A fault of the portal; the log has it under the reference."
    outcome = SyncOutcome(Ended.INTERNAL, kind, started_at, detail=detail, reference=reference)
    with scope.operations():
        due_in = _back_off(state.failures)
        values = {**_counted(state, due_in), "last_error_code": "internal", "last_error": detail}
        leases.settle(lease, due_in=due_in, **values)
        _note_run(state.tenant, outcome, again=state.last_error_code == "internal")
    return outcome


def _counted(state: SyncState, due_in: timedelta, *, got_on: bool = False) -> dict[str, Any]:
    """One failure more; the first one where the pass ``got_on`` by a page before."""
    failures = 1 if got_on else state.failures + 1
    is_open = failures >= BREAKER_AFTER
    return {"failures": failures, "breaker_until": leases.after(due_in) if is_open else None}


def _moved(state: SyncState, watermark: str) -> dict[str, Any]:
    """The watermark, never backwards."""
    text = later(state.watermark_text, watermark)
    moment = parse_time(text)
    if moment is None or text == state.watermark_text:
        return {}
    return {"watermark": moment, "watermark_text": text}


def _wait(error: DefenderError, failures: int) -> timedelta:
    if isinstance(error, errors.CredentialFault):  # one of them asks for all: see tenants.breaker
        return settings.CREDENTIAL_WAIT * random.uniform(1.0, 1.5)  # noqa: S311  spreads the load
    if isinstance(error, errors.WrongToken):
        return settings.SYNC_LONGEST_WAIT
    asked = getattr(error, "retry_after", None)
    if asked and isinstance(error, errors.Throttled):
        return timedelta(seconds=asked * random.uniform(1.0, 1.1))  # noqa: S311  so that tenants do not come back at once
    return max(_back_off(failures), timedelta(seconds=asked or 0))


def _back_off(failures: int) -> timedelta:
    """Doubling from SYNC_FIRST_WAIT to SYNC_LONGEST_WAIT, a half of it by chance."""
    wait: timedelta = min(settings.SYNC_FIRST_WAIT * 2 ** min(failures, 20), settings.SYNC_LONGEST_WAIT)
    return wait * random.uniform(0.5, 1.0)  # noqa: S311  jitter, no secret


def _shown(error: DefenderError) -> str:
    return f"{error.sentence} {error.step}".strip()[:500]


def _consequences(tenant: Tenant, error: DefenderError) -> None:
    now = timezone.now()
    if isinstance(error, errors.ConsentMissing | errors.ResourceMissing | errors.TenantUnknown):
        consent.lose_consent(tenant=tenant, error=error, now=now)
    elif isinstance(error, errors.Forbidden | errors.Unauthorized):
        consent.note_forbidden(tenant=tenant, error=error, now=now)
    elif isinstance(error, errors.WrongToken):
        step = "Nothing was read with it. Find out how it came about before anything else."
        sentence = f"{tenant.name}: {error.sentence}"
        raise_alarm(key=f"wrong-token-{tenant.pk}", sentence=sentence, step=step, now=now)
    elif isinstance(error, errors.Transient) and error.who == "us":  # every tenant fails alike: one alarm for all
        raise_alarm(key=OUR_WAY_ALARM, sentence=error.sentence, step=error.step, now=now)
    elif error.code == "paging-loop":
        raise_alarm(
            key=f"paging-loop-{tenant.pk}", sentence=f"{tenant.name}: {error.sentence}", step=error.step, now=now
        )


def _all_clear(tenant: Tenant, now: datetime) -> None:
    for key in (OUR_WAY_ALARM, f"wrong-token-{tenant.pk}", f"paging-loop-{tenant.pk}"):
        clear_alarm(key=key, now=now)


def _note_run(tenant: Tenant, outcome: SyncOutcome, *, again: bool) -> None:
    """A run for people to read; the same ending again brings the last one up to date instead of making a storm."""
    last = SyncRun.objects.filter(tenant=tenant).order_by("-started_at").first() if again else None
    if last is None or (last.ended, last.kind) != (outcome.ended, outcome.kind):
        _new_run(tenant, outcome, timezone.now())
        return
    for name in ("pages", "seen", "new", "changed", "merged", "quarantined"):
        setattr(last, name, getattr(last, name) + getattr(outcome, name))
    last.ended_at, last.detail, last.reference = timezone.now(), outcome.detail, outcome.reference
    last.save()


def _new_run(tenant: Tenant, outcome: SyncOutcome, now: datetime) -> None:
    SyncRun.objects.create(
        tenant=tenant,
        kind=outcome.kind,
        started_at=outcome.started_at,
        ended_at=now,
        window_from=outcome.window_from,
        pages=outcome.pages,
        seen=outcome.seen,
        new=outcome.new,
        changed=outcome.changed,
        merged=outcome.merged,
        quarantined=outcome.quarantined,
        ended=outcome.ended,
        detail=outcome.detail[:500],
        reference=outcome.reference,
    )
