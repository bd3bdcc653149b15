"""Opens the signed-in person's scope around the view. It never reads the scope from the request itself."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from accounts.models import User
from tenants import scope


class ScopeMiddleware:
    """Runs the view, and the rendering of its answer, in one transaction inside the person's scope.

    ``only_tenants``, which whoever let the request in may have set on it, narrows that scope; nothing widens it.

    Last in the list, so that sign-in and CSRF have been looked at. Nobody signed in: no scope, and any attempt to read
    tenant-owned data raises.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Nothing to do here; ``process_view`` knows the view."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponseBase], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Answer from inside the scope; templates are rendered before it closes."""
        if not isinstance(request.user, User) or getattr(view, "opens_own_scope", False):
            return None
        with scope.person(request.user, only=getattr(request, "only_tenants", None)):
            response = view(request, *args, **kwargs)
            if hasattr(response, "render") and callable(response.render):
                response = response.render()
            return response
