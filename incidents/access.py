"""The one door to an incident: who may do what with it, decided before a view holds it.

To a person without access an incident is the same as one that does not exist: the same answer, byte for byte. Who may
read it but not do what was asked is told so.
"""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest

from accounts.models import User
from accounts.roles import Permission, role_allows
from incidents.models import Incident
from tenants.models import Membership


def access_incident(user: User, tenant_slug: str, number: int, *, to: Permission) -> Incident:
    """The incident with its tenant, for a person who may do ``to`` with it.

    Raises Http404 where there is none or the person may not read it, PermissionDenied where reading is all they may do.
    """
    found = Incident.objects.select_related("tenant").filter(tenant__slug=tenant_slug, number=number).first()
    if found is None or not may(user, found.tenant_id, to=Permission.READ_INCIDENTS):
        raise Http404
    if not may(user, found.tenant_id, to=to):
        raise PermissionDenied
    return found


def may(user: User, tenant_id: int, *, to: Permission) -> bool:
    """Whether any role the person holds over the tenant includes the permission."""
    roles = Membership.objects.filter(user_id=user.pk, tenant_id=tenant_id).values_list("role", flat=True)
    return user.is_active and any(role_allows(role, to) for role in roles)


def may_anywhere(user: User, *, to: Permission) -> bool:
    """Whether any role the person holds over any tenant includes the permission."""
    roles = Membership.objects.filter(user_id=user.pk).values_list("role", flat=True).distinct()
    return user.is_active and any(role_allows(role, to) for role in roles)


def signed_in(request: HttpRequest) -> User:
    """The person a view answers. The middleware lets nobody else this far; this says so to the type checker too."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
