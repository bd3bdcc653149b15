"""The door to a tenant, and the lists a person may see. Outsiders get 404, the same as for nothing."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse

from accounts.models import User
from accounts.roles import Permission, role_allows, staff_allows
from tenants.models import Membership, Tenant

P = ParamSpec("P")


def allows(user: User, tenant: Tenant, permission: Permission) -> bool:
    """Whether the person may do this in this tenant, by being staff or by a membership's role."""
    if not user.is_active:
        return False
    if user.is_staff and staff_allows(permission):
        return True
    roles = Membership.objects.filter(user=user, tenant=tenant).values_list("role", flat=True)
    return any(role_allows(role, permission) for role in roles)


def access_tenant(user: User, slug: str, *, to: Permission) -> Tenant:
    """The tenant behind a slug. Outsiders get Http404, the same as for nothing; members without the right get 403."""
    tenant = Tenant.objects.select_related("customer").filter(slug=slug).first()
    if tenant is None or not allows(user, tenant, Permission.READ_CONNECTION):
        raise Http404("No such tenant.")
    if not allows(user, tenant, to):
        raise PermissionDenied("Your role does not include this.")
    return tenant


def tenants_for(user: User) -> QuerySet[Tenant]:
    """Tenants whose connection the person may see, with customer and sync state."""
    visible = Tenant.objects.select_related("customer", "sync_state").order_by("name")
    if user.is_staff:
        return visible
    return visible.filter(pk__in=Membership.objects.filter(user=user).values("tenant_id"))


def staff_only(view: Callable[Concatenate[HttpRequest, P], HttpResponse]) -> Callable[..., HttpResponse]:
    """A view for those who connect and look after tenants; others get 403."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        user: Any = request.user
        if not (user.is_active and user.is_staff and staff_allows(Permission.CONNECT)):
            raise PermissionDenied("Connecting tenants is for staff.")
        return view(request, *args, **kwargs)

    return guarded
