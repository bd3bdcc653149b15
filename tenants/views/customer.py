"""The two public pages: the connect page behind a link, and the callback. They say little and reveal nothing."""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts.actor import actor_for
from defender.permissions import CAPABILITIES, approving_role
from tenants import callback
from tenants.callback import Answer

STATUS = {
    Answer.CONFIRM: 200,
    Answer.DONE: 200,
    Answer.DECLINED: 200,
    Answer.EXPIRED: 410,
    Answer.USED: 410,
    Answer.WITHDRAWN: 410,
    Answer.UNKNOWN: 404,
}


def cookie_name() -> str:
    """``__Host-`` binds the cookie to this host over https; browsers refuse that prefix on plain http."""
    return "__Host-connect" if settings.IS_HTTPS else "connect"


@login_not_required
@require_safe
def connect(request: HttpRequest, secret: str) -> HttpResponse:
    """Who asks, for what, which role may approve, which permissions; then on to Microsoft."""
    page = callback.open_link(secret=secret, now=timezone.now())
    if isinstance(page, Answer):
        return answer(request, page)
    context = {
        "page": page,
        "permissions": [CAPABILITIES[key] for key in settings.ASKED_CAPABILITIES],
        "approving_role": approving_role(settings.ASKED_CAPABILITIES),
        "client_id": settings.ENTRA_CLIENT_ID,
    }
    response = private(render(request, "tenants/connect.html", context))
    response.set_cookie(
        cookie_name(), page.cookie, max_age=3600, secure=settings.IS_HTTPS, httponly=True, samesite="Lax", path="/"
    )
    return response


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def consent_callback(request: HttpRequest) -> HttpResponse:
    """GET: Microsoft sent a browser back, nothing is done yet. POST: the person confirms, once."""
    cookie = request.COOKIES.get(cookie_name(), "")
    by = actor_for(request, None if request.user.is_authenticated else callback.BROWSER)
    if request.method == "POST":
        state = request.POST.get("state", "")
        return answer(request, callback.confirm(state=state, cookie=cookie, by=by, now=timezone.now()))
    # A name that comes twice is joined, so that neither of two contradictory values is taken for the answer.
    query = {name: " ".join(map(str, values)) for name, values in request.GET.lists()}
    return answer(
        request,
        callback.come_back(query=query, cookie=cookie, by=by, now=timezone.now()),
        state=query.get("state", ""),
    )


def answer(request: HttpRequest, outcome: Answer, *, state: str = "") -> HttpResponse:
    """The plain landing page: one sentence, no names."""
    context = {"outcome": outcome.name.lower(), "state": state if outcome == Answer.CONFIRM else ""}
    return private(render(request, "tenants/landing.html", context, status=STATUS.get(outcome, 400)))


def private(response: HttpResponse) -> HttpResponse:
    """Keep secrets in the address out of caches and search engines.

    The portal-wide Referrer-Policy (same-origin) keeps them from other sites; no-referrer would make browsers send
    ``Origin: null`` with the confirming POST, which the CSRF check rightly refuses.
    """
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response
