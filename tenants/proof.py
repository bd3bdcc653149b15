"""Proof of a connection: a fresh token for the tenant, its roles, and one live read. The only way to *connected*.

Microsoft is called outside any transaction; what came back is then written in one. A tenant can only be proved because
staff pinned its id before, and no two customers can hold the same id.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from django.conf import settings

from audit.record import Actor
from defender import errors
from defender.auth import AccessToken
from defender.clouds import XDR
from defender.permissions import unserved
from tenants import breaker, scope, tokens
from tenants.alarms import clear_alarm, raise_alarm
from tenants.clients import client_for
from tenants.connection import REASON_LIMIT, move, next_check, reason
from tenants.models import ConsentRequest, Tenant, TenantState

EAGER = timedelta(seconds=15)  # how often a consent that was just given is looked at again
EAGER_FOR = timedelta(minutes=15)  # and for how long: roles usually arrive within minutes
SOON = timedelta(seconds=30)  # how soon a tenant that is not read is looked at again after a passing fault


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the proof found: the state it leads to (None: no change), with the reason in words."""

    state: TenantState | None
    code: str = ""
    detail: str = ""
    reference: str = ""
    token: AccessToken | None = None
    proven: bool = False
    is_passing: bool = False  # nothing was found out, and asking again may help


def prove(*, tenant: Tenant, by: Actor, now: datetime) -> Verdict:
    """Prove the tenant's connection now and write down what was found, Microsoft's errors included."""
    verdict = find_out(tenant)
    with scope.operations():
        if verdict.token:
            tokens.keep_facts(tenant=tenant, resource=XDR, token=verdict.token, now=now, proven=verdict.proven)
        if verdict.state:
            move(
                tenant=tenant,
                to=verdict.state,
                by=by,
                now=now,
                code=verdict.code,
                detail=verdict.detail,
                reference=verdict.reference,
            )
        else:
            _note(tenant, verdict)
        next_check(tenant, now=now, eager=_eager(tenant, verdict, now))
        if verdict.proven:
            clear_alarm(key=breaker.KEY, now=now)
            clear_alarm(key=wrong_token_alarm(tenant), now=now)
    return verdict


def find_out(tenant: Tenant) -> Verdict:
    """Ask Microsoft: token, roles, live read. Writes nothing but an alarm where our own credential is at fault."""
    token: AccessToken | None = None
    try:
        token = tokens.source().token(tenant.entra_id, XDR, fresh=True)
        token.facts.check(tenant_id=tenant.entra_id, app_id=settings.ENTRA_CLIENT_ID)
        held = judge_roles(tenant, token)
        if held is not None:
            return held
        client_for(tenant, background=False).probe()
    except errors.DefenderError as error:
        return judge_error(tenant, error, token)
    return Verdict(TenantState.CONNECTED, detail=switched_off(token), token=token, proven=True)


def judge_roles(tenant: Tenant, token: AccessToken) -> Verdict | None:
    """Waiting or review where the roles say so; None where a live read may decide (also for an unreadable token)."""
    if not token.facts.readable:
        return None
    roles = list(token.facts.roles)
    if unserved(roles, ["sync_incidents"], resource=XDR):
        return Verdict(
            TenantState.WAITING,
            code="role-missing",
            detail="The token does not carry Incident.Read.All (or Incident.ReadWrite.All) yet.",
            token=token,
        )
    excess = [fact.role for fact in tokens.role_facts(roles) if fact.state == "excess"]
    beyond = sorted(set(excess) - set(tenant.accepted_roles))
    if beyond:
        detail = f"More was granted than asked for: {', '.join(beyond)}."
        return Verdict(TenantState.REVIEW, code="roles-beyond-asked", detail=detail, token=token)
    return None


def judge_error(tenant: Tenant, error: errors.DefenderError, token: AccessToken | None) -> Verdict:
    """What an error means for this tenant; our own faults change no tenant's state."""
    if isinstance(error, errors.CredentialFault):
        return because(error, None)  # the breaker has raised the alarm
    if isinstance(error, errors.WrongToken):
        raise_alarm(key=wrong_token_alarm(tenant), sentence=f"{tenant.name}: {error.sentence}", step=error.step)
        return because(error, TenantState.DEGRADED if tenant.is_syncing else None)
    if isinstance(error, errors.ConsentMissing | errors.TenantUnknown | errors.ResourceMissing):
        return because(error, TenantState.CONSENT_LOST if tenant.connected_at else TenantState.INVITED)
    if isinstance(error, errors.Forbidden | errors.Unauthorized):
        # Degraded tenants are read, so only one that has been proved and is being read can become degraded.
        state = TenantState.DEGRADED if tenant.is_syncing else TenantState.WAITING
        return because(error, state, token)
    found = because(error, None, token)
    return replace(found, is_passing=isinstance(error, errors.Transient | errors.Throttled))


def because(error: errors.DefenderError, state: TenantState | None, token: AccessToken | None = None) -> Verdict:
    """The verdict that an error leads to, with the error's words as its reason."""
    return Verdict(state, **reason(error), token=token)


def switched_off(token: AccessToken) -> str:
    """Which other capabilities the token does not open, as a sentence; empty where all are there."""
    if not token.facts.readable:
        return "Roles unknown: the token cannot be read, but the live read answered."
    missing = unserved(token.facts.roles, settings.ASKED_CAPABILITIES, resource=XDR)
    return " ".join(f"{need.title}: off, {need.role} is missing." for need in missing)


def wrong_token_alarm(tenant: Tenant) -> str:
    """The key of the alarm about a token that names something else; a later proof clears it."""
    return f"wrong-token-{tenant.pk}"


def _note(tenant: Tenant, verdict: Verdict) -> None:
    """The state stays; the reason of the last check is shown beside it, unless staff disconnected the tenant."""
    tenant.state_code, tenant.state_detail = verdict.code[:60], verdict.detail[:REASON_LIMIT]
    tenant.state_reference = verdict.reference[:120]
    Tenant.objects.filter(pk=tenant.pk).exclude(state=TenantState.DISCONNECTED).update(
        state_code=tenant.state_code, state_detail=tenant.state_detail, state_reference=tenant.state_reference
    )


def _eager(tenant: Tenant, verdict: Verdict, now: datetime) -> timedelta | None:
    """A shorter time than usual to the next check, where there is a reason to hope."""
    if _is_fresh(tenant, now):
        return EAGER
    return SOON if verdict.is_passing and not tenant.is_syncing else None


def _is_fresh(tenant: Tenant, now: datetime) -> bool:
    """Whether the customer has answered lately, so that roles may still be on their way."""
    if tenant.state not in {TenantState.INVITED, TenantState.WAITING, TenantState.CONSENT_LOST}:
        return False
    return ConsentRequest.objects.filter(tenant=tenant, spent_at__gt=now - EAGER_FOR).exists() or (
        tenant.state == TenantState.WAITING and tenant.state_since > now - EAGER_FOR
    )
