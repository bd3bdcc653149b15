"""The customer's side: the connect page and what comes back from Microsoft. The callback is a claim, never a proof.

This module guards a boundary: everything it is given comes from an unauthenticated browser. It never connects a tenant;
at most it notes that a check is due, and ``tenants.proof`` decides. Answers to the outside say little; the audit log
says why. Everything runs in the scope of the link's holder, which opens one consent request and its tenant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from django.conf import settings
from django.utils.crypto import constant_time_compare

from audit.models import Outcome
from audit.record import CUSTOMER_ADMIN, Actor, Event, record
from tenants import links, scope
from tenants.consent import microsoft_url
from tenants.models import ConsentRequest, Tenant, TenantState

BROWSER = "customer's browser (not signed in)"  # who acts, for the audit log, until an answer was confirmed


class Answer(StrEnum):
    """What the customer's browser is told; nothing here names a tenant or a customer."""

    CONFIRM = "confirm"
    DONE = "done"
    DECLINED = "declined"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED = "used"
    WITHDRAWN = "withdrawn"
    OTHER_TENANT = "other tenant"
    OTHER_BROWSER = "other browser"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class ConnectPage:
    """What the connect page shows to the holder of the link."""

    tenant_label: str
    asked_by: str
    form: str
    expires_at: datetime
    microsoft_link: str = field(repr=False)
    cookie: str = field(repr=False)


def open_link(*, secret: str, now: datetime) -> ConnectPage | Answer:
    """The connect page behind a link's secret, or why there is none."""
    if not links.well_formed(secret):
        return Answer.UNKNOWN
    with scope.link_holder(links.digest(secret)):
        request = _find(link_hash=links.digest(secret))
        refusal = _refusal(request, now)
        if request is None or refusal:
            return refusal or Answer.UNKNOWN
        ConsentRequest.objects.filter(pk=request.pk, opened_at=None).update(opened_at=now)
        tenant = request.tenant
        return ConnectPage(
            tenant_label=tenant.domain or str(tenant.entra_id),
            asked_by=request.asked_by.split(" (#")[0],
            form=request.form,
            expires_at=request.expires_at,
            microsoft_link=microsoft_url(tenant.entra_id, secret, request.form),
            cookie=links.cookie_of(secret),
        )


def come_back(*, query: Mapping[str, str], cookie: str, by: Actor, now: datetime) -> Answer:
    """Microsoft sent a browser back to us. Looks at everything, notes the outcome, spends nothing."""
    state = query.get("state", "")
    if not links.well_formed(state):
        return _denied(by, None, Answer.UNKNOWN)
    with scope.link_holder(links.digest(state)):
        request = _find(state_hash=links.digest(state))
        answer = _refusal(request, now) or _read(query, request, cookie)
        if request is None or answer in {Answer.UNKNOWN, Answer.USED, Answer.EXPIRED, Answer.WITHDRAWN}:
            return _denied(by, request, answer)
        detail = "" if answer in {Answer.CONFIRM} else _claimed_error(query)
        ConsentRequest.objects.filter(pk=request.pk).update(
            returned_at=now, outcome=answer.value, outcome_detail=detail
        )
        if answer == Answer.CONFIRM:
            return answer
        return _denied(by, request, answer)


def confirm(*, state: str, cookie: str, by: Actor, now: datetime) -> Answer:
    """The person in the browser that came back confirms: the state is spent, once, and a check is due."""
    if not links.well_formed(state):
        return _denied(by, None, Answer.UNKNOWN)
    with scope.link_holder(links.digest(state)):
        request = _find(state_hash=links.digest(state))
        refusal = _refusal(request, now)
        if request is None or refusal:
            return _denied(by, request, refusal or Answer.UNKNOWN)
        if request.outcome != Answer.CONFIRM.value:
            return _denied(by, request, Answer.UNCLEAR)
        if not _same_browser(request, cookie):
            return _denied(by, request, Answer.OTHER_BROWSER)
        return _spend(request, by, now)


def _spend(request: ConsentRequest, by: Actor, now: datetime) -> Answer:
    """Compare and set: of many answers with the same state exactly one gets here first."""
    unspent = ConsentRequest.objects.filter(
        pk=request.pk, spent_at=None, withdrawn_at=None, expires_at__gt=now, outcome=Answer.CONFIRM.value
    )
    if not unspent.update(spent_at=now, outcome=Answer.DONE.value):
        return _denied(by, request, Answer.USED)
    Tenant.objects.filter(pk=request.tenant_id).exclude(state=TenantState.DISCONNECTED).update(check_due_at=now)
    actor = replace(by, name=CUSTOMER_ADMIN) if by.name == BROWSER else by
    record(Event(by=actor, action="consent returned", tenant=request.tenant.entra_id, subject=request.tenant.name))
    return Answer.DONE


def _find(**hashes: str) -> ConsentRequest | None:
    return ConsentRequest.objects.select_related("tenant").filter(**hashes).first()


def _refusal(request: ConsentRequest | None, now: datetime) -> Answer | None:
    if request is None:
        return Answer.UNKNOWN
    if request.spent_at:
        return Answer.USED
    if request.withdrawn_at or request.tenant.state == TenantState.DISCONNECTED:
        return Answer.WITHDRAWN
    return Answer.EXPIRED if request.expires_at <= now else None


def _read(query: Mapping[str, str], request: ConsentRequest | None, cookie: str) -> Answer:
    """What the query claims. ``error`` is looked at first: the documented error answer says admin_consent=True too."""
    if request is None:
        return Answer.UNKNOWN
    if any(query.get(name) for name in ("error", "error_description", "error_subcode", "error_uri")):
        return Answer.DECLINED
    if query.get("tenant", "").strip().lower() != str(request.tenant.entra_id):
        return Answer.OTHER_TENANT
    if query.get("admin_consent", "").lower() != "true":
        return Answer.UNCLEAR
    return Answer.CONFIRM if _same_browser(request, cookie) else Answer.OTHER_BROWSER


def _same_browser(request: ConsentRequest, cookie: str) -> bool:
    return constant_time_compare(links.digest(cookie), request.browser_hash) if cookie else False


def _claimed_error(query: Mapping[str, str]) -> str:
    from defender.errors import plain

    claimed = " ".join(query.get(name, "") for name in ("error", "error_subcode", "error_description"))
    return plain(claimed.strip(), 480)


def _denied(by: Actor, request: ConsentRequest | None, answer: Answer) -> Answer:
    tenant = request.tenant if request else None
    record(
        Event(
            by=by,
            action="consent callback",
            tenant=tenant.entra_id if tenant else None,
            subject=tenant.name if tenant else "",
            outcome=Outcome.DENIED,
            details={"answer": answer.value, "cloud": settings.MICROSOFT_CLOUD},
        )
    )
    return answer
