"""The admin site: the portal's own sign-in, staff only."""

from functools import wraps
from typing import Any

from csp.constants import SELF
from csp.decorators import csp_replace
from django.contrib.admin import AdminSite
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator


def _without_nul(view: Any) -> Any:
    """No text in PostgreSQL has this character: filters that look for it would end in an error of the database."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        asked = (part for name, values in request.GET.lists() for part in (name, *values))
        if any("\x00" in part for part in (request.path, *asked)):
            raise BadRequest("The address holds a character that no text here can have.")
        return view(request, *args, **kwargs)

    return guarded


class PortalAdminSite(AdminSite):
    """Django admin with the portal's name; people who are signed in but not staff get 403, not a second sign-in."""

    site_header = "Portal administration"
    site_title = "Portal administration"
    index_title = "Tenants, incidents, people"
    site_url = "/"
    enable_nav_sidebar = True

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Django's templates know no nonces: on these pages every script of our own origin may run."""
        return csp_replace({"script-src": [SELF]})(super().admin_view(_without_nul(view), cacheable))

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff may; strangers are sent to sign in; others who are signed in are refused here and now."""
        if request.user.is_authenticated and not super().has_permission(request):
            raise PermissionDenied("Administration is for staff.")
        return super().has_permission(request)

    @method_decorator(login_not_required)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """One door: the admin has no sign-in page of its own."""
        if self.has_permission(request):
            return redirect("admin:index")
        return redirect_to_login(request.GET.get("next", "/admin/"))

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """One door out as well: it leaves a line in the audit log."""
        from accounts.views import sign_out

        return sign_out(request)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """A new password of one's own, with a line in the audit log in the same transaction.

        The page compares the current password and counts no tries; proving who one is does, and asks for the code too.
        """
        from accounts import step_up
        from accounts.actor import actor_for
        from audit.record import Event, record

        if not step_up.is_fresh(request):
            return step_up.ask(request)
        response = super().password_change(request, extra_context)
        if response.status_code == 302:
            record(Event(by=actor_for(request), action="change own password"))
        return response
