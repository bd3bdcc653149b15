"""The page on which two members of staff move a tenant to another customer."""

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.actor import actor_for
from accounts.models import User
from accounts.step_up import fresh_sign_in_to_change
from tenants import relink as moves
from tenants.access import staff_only
from tenants.consent import Refused
from tenants.models import Tenant
from tenants.views.actions import staff_tenant


@require_http_methods(["GET", "HEAD", "POST"])
@staff_only
@fresh_sign_in_to_change
def relink(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask, agree or withdraw; the page says which of them waits."""
    tenant = staff_tenant(request, slug)
    if request.method == "POST":
        try:
            messages.success(request, done(request, tenant))
        except Refused as sentence:
            messages.error(request, str(sentence))
        return redirect("tenants:relink", tenant.slug)
    waiting = moves.open_relink(tenant, timezone.now())
    return render(request, "tenants/relink.html", {"tenant": tenant, "waiting": waiting})


def done(request: HttpRequest, tenant: Tenant) -> str:
    """What the pressed button says; what was done, as a sentence. Raises Refused."""
    person, by, now = cast(User, request.user), actor_for(request), timezone.now()
    match request.POST.get("do"):
        case "agree":
            seen = request.POST.get("seen", "")
            moved = moves.agree(tenant=tenant, seen=seen, agreer=person, by=by, now=now)
            return f"The tenant now belongs to {moved.customer.name}. Give people their roles anew."
        case "withdraw":
            moves.withdraw(tenant=tenant, by=by, now=now)
            return "The request is withdrawn."
    moves.ask(tenant=tenant, customer_name=request.POST.get("customer", ""), asker=person, by=by, now=now)
    return "Asked. Another member of staff has to agree within 24 hours, on this page."
