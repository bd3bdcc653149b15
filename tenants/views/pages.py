"""The list of tenants and one tenant's page."""

from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.models import User
from accounts.roles import Permission
from defender.clouds import XDR
from defender.permissions import CAPABILITIES
from tenants import budget, tokens
from tenants.access import access_tenant, allows, tenants_for
from tenants.freshness import freshness_of
from tenants.models import (
    Budget,
    CompletenessCheck,
    ConsentRequest,
    SyncRun,
    SyncState,
    Tenant,
    TenantState,
    TokenFacts,
)
from tenants.states import words_for

RUNS_SHOWN = 20


@require_safe
def tenants(request: HttpRequest) -> HttpResponse:
    """Every tenant the person may see, with state and freshness; the rows refresh themselves."""
    user = cast(User, request.user)
    visible = tenants_for(user)
    state = request.GET.get("state", "")
    if state in TenantState.values:
        visible = visible.filter(state=state)
    counts = tenants_for(user).order_by("state").values_list("state").annotate(n=Count("pk"))
    now = timezone.now()
    context = {
        "rows": rows_for(visible, now),
        "states": [(value, TenantState(value).label, n) for value, n in counts],
        "chosen": state,
        "may_connect": user.is_staff,
    }
    return render(request, "tenants/_tenants.html" if request.htmx else "tenants/tenants.html", context)  # type: ignore[attr-defined]


def rows_for(visible: QuerySet[Tenant], now: datetime) -> list[dict[str, Any]]:
    """What the list says of each tenant. Three queries, whatever their number."""
    spent = {row.tenant_id: budget.spent_of(row, now) for row in Budget.objects.filter(tenant__in=visible, verb="list")}
    newest = CompletenessCheck.objects.filter(tenant__in=visible).order_by("tenant_id", "-checked_at")
    checks = {check.tenant_id: check for check in newest.distinct("tenant_id")}
    return [
        {
            "tenant": tenant,
            "words": words_for(tenant),
            "fresh": freshness_of(tenant, now),
            "check": checks.get(tenant.pk),
            "spent": spent.get(tenant.pk),
        }
        for tenant in visible
    ]


@require_safe
def tenant(request: HttpRequest, slug: str) -> HttpResponse:
    """One tenant: consent, token facts, sync state and runs."""
    return render(request, "tenants/tenant.html", tenant_context(request, slug))


@require_safe
def tenant_state(request: HttpRequest, slug: str) -> HttpResponse:
    """The part of the tenant's page that changes while workers work."""
    return render(request, "tenants/_state.html", tenant_context(request, slug))


def tenant_context(request: HttpRequest, slug: str) -> dict[str, Any]:
    """What the tenant's page shows; token facts and links for staff only."""
    user = cast(User, request.user)
    found = access_tenant(user, slug, to=Permission.READ_CONNECTION)
    is_staff = allows(user, found, Permission.CONNECT)
    now = timezone.now()
    return {
        "tenant": found,
        "words": words_for(found),
        "fresh": freshness_of(found, now),
        "sync": SyncState.objects.filter(tenant=found).first(),
        "check": CompletenessCheck.objects.filter(tenant=found).first(),
        "runs_kept_days": settings.SYNC_RUNS_KEPT.days,
        "runs": SyncRun.objects.filter(tenant=found)[:RUNS_SHOWN],
        "budget": budget.left(found.pk),
        "may_connect": is_staff,
        "may_read": allows(user, found, Permission.READ_INCIDENTS),
        "token": token_context(found) if is_staff else None,
        "requests": ConsentRequest.objects.filter(tenant=found)[:5] if is_staff else [],
        "is_checking": bool(found.check_due_at and found.check_due_at <= now),
        "now": now,
    }


def token_context(tenant: Tenant) -> dict[str, Any] | None:
    """The facts of the last token against the roles each capability needs."""
    facts = TokenFacts.objects.filter(tenant=tenant, resource=XDR.key).first()
    if facts is None:
        return None
    asked = [CAPABILITIES[key] for key in settings.ASKED_CAPABILITIES]
    return {
        "facts": facts,
        "roles": tokens.role_facts(facts.roles) if facts.readable else [],
        "capabilities": [
            {"title": need.title, "roles": need.any_of, "is_on": not set(facts.roles).isdisjoint(need.any_of)}
            for need in asked
            if need.resource == XDR
        ],
        "is_expired": bool(facts.expires_at and facts.expires_at <= timezone.now()),
    }
