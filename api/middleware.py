"""The door of the API: a token in the Authorization header, and nothing else.

Two halves. The outer one takes cookies away before anybody reads them, so that no browser's session opens the API and
no other site's page can use it through a browser. The inner one, which stands where people's sessions have been looked
at, makes the token's owner the person who asks, narrowed to what the token is for. All else that guards pages, the
scope and the notes of refusals among them, guards the API with it.
"""

from collections.abc import Callable
from typing import Any, Final

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.cache import patch_vary_headers

from accounts.actor import person_name
from api import tokens
from api.models import Token
from api.problems import Problem, is_api
from audit.record import Actor

Handler = Callable[[HttpRequest], HttpResponse]

UNKNOWN: Final = "Send a token that holds in the header Authorization: Bearer …; people make theirs under API tokens."


class CookielessMiddleware:
    """No cookie reaches the API."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Before sessions are looked up."""
        if is_api(request):
            request.COOKIES = {}
            request.META.pop("HTTP_COOKIE", None)
        return self.get_response(request)


class BearerMiddleware:
    """Who asks is the token's owner; without a token that holds nobody gets in."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Look the token up; whether it is needed is decided when it is known which address was asked for."""
        if not is_api(request):
            return self.get_response(request)
        request.user = AnonymousUser()
        if token := _shown(request):
            _let_in(request, token)
        response = self.get_response(request)
        patch_vary_headers(response, ["Authorization"])
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """None lets the request through."""
        if not is_api(request) or request.user.is_authenticated:
            return None
        return Problem(401, UNKNOWN, headers={"WWW-Authenticate": "Bearer"}).response()


def _shown(request: HttpRequest) -> Token | None:
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return tokens.find(value.strip()) if scheme.lower() == "bearer" else None


def _let_in(request: HttpRequest, token: Token) -> None:
    now, address = timezone.now(), request.META.get("REMOTE_ADDR", "")
    state = token.state(now)
    if state != "in use":
        by = Actor(person_name(token.owner), getattr(request, "request_id", ""), address)
        tokens.note_refusal(token, state, by=by, now=now)
        return
    request.user = token.owner
    request.api_token = token  # type: ignore[attr-defined]
    request.acts_through = f"API token {token}"  # type: ignore[attr-defined]
    request.only_tenants = tokens.only_tenants(token)  # type: ignore[attr-defined]
    tokens.note_use(token, address=address, now=now)
