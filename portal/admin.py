"""The admin site: the portal's own sign-in, staff only."""

from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse


class PortalAdminSite(AdminSite):
    """Django admin with the portal's name; people who are signed in but not staff get 403, not a second sign-in."""

    site_header = "Portal administration"
    site_title = "Portal administration"
    index_title = "Tenants, incidents, people"
    site_url = "/"
    enable_nav_sidebar = True

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """One door: the admin has no sign-in page of its own."""
        if request.user.is_authenticated:
            raise PermissionDenied("Administration is for staff.")
        return redirect_to_login(request.GET.get("next", "/admin/"))
