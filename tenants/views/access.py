"""Who may see a tenant, and through what; staff give roles over it here and take them back."""

from typing import Any, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.actor import actor_for
from accounts.models import User
from accounts.roles import Permission, Role
from accounts.step_up import fresh_sign_in_required
from tenants import grants
from tenants.access import access_tenant, staff_only
from tenants.forms import GrantForm
from tenants.models import Grant, Tenant


@require_safe
@staff_only
def access(request: HttpRequest, slug: str) -> HttpResponse:
    """The list, and a form for one more role."""
    return page(request, tenant_of(request, slug))


@require_POST
@staff_only
@fresh_sign_in_required
def give_role(request: HttpRequest, slug: str) -> HttpResponse:
    """Give a person a role over this tenant."""
    tenant, giver = tenant_of(request, slug), cast(User, request.user)
    form = GrantForm(request.POST, people=grants.people_for(giver))
    if not form.is_valid():
        return page(request, tenant, form)
    user, role = form.cleaned_data["person"], Role(form.cleaned_data["role"])
    is_new = grants.give(user=user, role=role, tenant=tenant, giver=giver, by=actor_for(request))
    what = "may now see this tenant as" if is_new else "was here already as"
    messages.success(request, f"{user.display_name} {what} {role.label.lower()}.")
    return redirect("tenants:access", tenant.slug)


@require_POST
@staff_only
@fresh_sign_in_required
def change_role(request: HttpRequest, slug: str) -> HttpResponse:
    """Another role in place of a granted one, or none."""
    tenant = tenant_of(request, slug)
    number = request.POST.get("grant", "")
    known = Grant.objects.select_related("user", "tenant").filter(tenant=tenant)
    found = known.filter(pk=number).first() if number.isascii() and number.isdigit() and len(number) < 19 else None
    if found is None:
        raise Http404("No such grant.")
    try:
        messages.success(request, changed(request, found))
    except grants.Refused as sentence:
        messages.error(request, str(sentence))
    return redirect("tenants:access", tenant.slug)


def changed(request: HttpRequest, grant: Grant) -> str:
    """Do what the pressed button says; what was done, as a sentence."""
    by, role = actor_for(request), request.POST.get("role", "")
    if role == "none":
        grants.take_back(grant=grant, by=by)
        return f"{grant.user.display_name} no longer has this role here."
    if role not in Role.values:
        raise grants.Refused("Choose a role.")
    grants.change(grant=grant, role=Role(role), giver=cast(User, request.user), by=by)
    return f"{grant.user.display_name} is now {Role(role).label.lower()} here."


def page(request: HttpRequest, tenant: Tenant, form: GrantForm | None = None) -> HttpResponse:
    """The access page, with the form as it was sent where it could not be used."""
    giver = cast(User, request.user)
    shown: dict[str, Any] = {
        "tenant": tenant,
        "rows": grants.who_sees(tenant),
        "form": form or GrantForm(people=grants.people_for(giver)),
        "roles": Role.choices,
    }
    return render(request, "tenants/access.html", shown, status=422 if form else 200)


def tenant_of(request: HttpRequest, slug: str) -> Tenant:
    """The tenant, for somebody who manages people."""
    return access_tenant(cast(User, request.user), slug, to=Permission.MANAGE_PEOPLE)
