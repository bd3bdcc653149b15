"""What staff do: connect, make a link, check, sync, accept roles, disconnect. Each leaves a row that is due."""

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.actor import actor_for
from accounts.models import User
from accounts.roles import Permission
from accounts.step_up import fresh_sign_in_required
from accounts.transactions import opens_own_scope
from audit.record import Event, record
from defender.errors import DefenderError
from tenants import consent, scope, tokens
from tenants.access import access_tenant, staff_only
from tenants.forms import ConnectForm
from tenants.leases import ask_for_check, ask_for_pass
from tenants.models import Tenant, TenantState, TokenFacts


@opens_own_scope
@require_http_methods(["GET", "HEAD", "POST"])
@staff_only
@fresh_sign_in_required
def connect_tenant(request: HttpRequest) -> HttpResponse:
    """Ask for customer and tenant, then show the link, once. Entra ID is asked before the transaction begins."""
    sent = request.POST if request.method == "POST" else None
    form = ConnectForm(sent, initial={"customer": request.GET.get("customer", "")[:200]})
    if form.is_valid():
        try:
            found = consent.look_up(form.cleaned_data["tenant"])
            with scope.person(cast(User, request.user)):
                invitation = consent.begin(**form.asked(), found=found, by=actor_for(request), now=timezone.now())
        except consent.Refused as sentence:
            form.add_error(None, str(sentence))
        except DefenderError as error:
            form.add_error("tenant", consent.told(error))
        else:
            return link_made(request, invitation)
    return render(request, "tenants/connect_tenant.html", {"form": form}, status=422 if form.errors else 200)


def link_made(request: HttpRequest, invitation: consent.Invitation) -> HttpResponse:
    """The only page that ever shows a link's secret."""
    return render(request, "tenants/link.html", {"invitation": invitation, "tenant": invitation.tenant})


@require_POST
@staff_only
@fresh_sign_in_required
def new_link(request: HttpRequest, slug: str) -> HttpResponse:
    """A fresh link; the one before stops working."""
    tenant = staff_tenant(request, slug)
    form = request.POST.get("form", "")
    chosen = form if form in {"v1", "v2"} else ""
    return link_made(request, consent.invite(tenant=tenant, by=actor_for(request), now=timezone.now(), form=chosen))


@require_POST
@staff_only
def check_now(request: HttpRequest, slug: str) -> HttpResponse:
    """Have a worker prove the connection now."""
    tenant = staff_tenant(request, slug)
    if tenant.state == TenantState.DISCONNECTED:
        messages.warning(request, "This tenant is disconnected. Make a new connect link to connect it again.")
        return redirect(tenant)
    consent.ask_check(tenant=tenant, by=actor_for(request), now=timezone.now())
    messages.info(request, "A worker is checking the connection; this page shows what it finds.")
    return redirect(tenant)


@require_POST
@staff_only
def sync_now(request: HttpRequest, slug: str) -> HttpResponse:
    """Make the next pass due now."""
    tenant = staff_tenant(request, slug)
    if tenant.is_syncing:
        ask_for_pass(tenant)
        record(Event(by=actor_for(request), action="ask for a pass", tenant=tenant.entra_id, subject=tenant.name))
        messages.info(request, "A pass is due now; a worker takes it within seconds.")
    else:
        messages.warning(request, "This tenant is not connected, so there is nothing to read yet.")
    return redirect(tenant)


@require_POST
@staff_only
def sweep_now(request: HttpRequest, slug: str) -> HttpResponse:
    """Make a sweep due now: it reads the whole window again and says what was missing."""
    tenant = staff_tenant(request, slug)
    if tenant.is_syncing:
        ask_for_check(tenant)
        record(Event(by=actor_for(request), action="ask for a sweep", tenant=tenant.entra_id, subject=tenant.name))
        messages.info(request, "The last weeks are being read again; this page then says whether anything was missing.")
    else:
        messages.warning(request, "This tenant is not connected, so there is nothing to compare with.")
    return redirect(tenant)


@require_POST
@staff_only
@fresh_sign_in_required
def accept_roles(request: HttpRequest, slug: str) -> HttpResponse:
    """Accept the roles beyond those asked for that the last token carried."""
    tenant = staff_tenant(request, slug)
    facts = TokenFacts.objects.filter(tenant=tenant, resource="xdr").first()
    seen = set(request.POST.getlist("role"))
    beyond = [fact.role for fact in tokens.role_facts(facts.roles) if fact.state == "excess"] if facts else []
    accepted = [role for role in beyond if role in seen]  # only what the person saw on the page
    if accepted:
        consent.accept_roles(tenant=tenant, roles=accepted, by=actor_for(request), now=timezone.now())
        messages.success(request, f"Accepted: {', '.join(accepted)}. The connection is being checked again.")
    return redirect(tenant)


@require_POST
@staff_only
def disconnect(request: HttpRequest, slug: str) -> HttpResponse:
    """Stop reading this tenant; what was read stays."""
    tenant = staff_tenant(request, slug)
    consent.disconnect(tenant=tenant, by=actor_for(request), now=timezone.now())
    messages.success(request, f"{tenant.name} is disconnected. Make a new connect link to connect it again.")
    return redirect(tenant)


def staff_tenant(request: HttpRequest, slug: str) -> Tenant:
    """The tenant, for somebody who looks after connections."""
    return access_tenant(cast(User, request.user), slug, to=Permission.CONNECT)
