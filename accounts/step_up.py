"""Step-up: what is dangerous is done only by somebody who has just proved who they are.

A stolen session, or a desk that was left open, is then not enough to make a consent link or to hand out roles. A page
behind ``fresh_sign_in_required`` sends whose proof is too old to the step-up page and lets them come back. What a
refused form carried waits in the session, but for passwords, so that nothing has to be typed twice.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

# Our own limit: a proof holds for the few minutes in which one thing is done.
FRESH_FOR = timedelta(minutes=5)
KEPT = "kept_form"
KEPT_FOR = timedelta(minutes=15)
LARGEST_KEPT = 50_000  # characters; a larger form has to be sent again by its page
NOT_KEPT = ("csrfmiddlewaretoken",)

View = Callable[..., HttpResponseBase]


def is_fresh(request: HttpRequest) -> bool:
    """Whether the person has proved who they are within the last minutes."""
    age = timezone.now().timestamp() - request.session.get("signed_in_at", 0)
    return bool(-1 <= age <= FRESH_FOR.total_seconds())


def fresh_sign_in_required(view: View) -> Any:
    """A view for those who have just signed in; others prove who they are first and come back to it."""
    return _guarded(view, lambda request: True)


def fresh_sign_in_to_change(view: View, may: Callable[[HttpRequest], bool] = lambda request: True) -> Any:
    """The same for a page that may be looked at without, and changes something when it is sent.

    ``may`` says whether the person may open it at all, so that nobody is asked who would be refused afterwards.
    """
    return _guarded(view, lambda request: request.method not in {"GET", "HEAD", "OPTIONS"} and may(request))


def _guarded(view: View, asks: Callable[[HttpRequest], bool]) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if asks(request) and request.user.is_authenticated and not is_fresh(request):
            return ask(request)
        if request.method == "POST":
            request.session.pop(KEPT, None)
        return view(request, *args, **kwargs)

    return guarded


def ask(request: HttpRequest) -> HttpResponse:
    """To the step-up page, and from there back: to the page, or to the form that waits to be sent."""
    if request.headers.get("HX-Request"):
        onward = local_part(request, request.headers.get("HX-Current-URL", ""))
        return HttpResponse(status=204, headers={"HX-Redirect": address_for(onward)})
    if request.method != "POST":
        return redirect(address_for(request.get_full_path()))
    if keep(request):
        return redirect(address_for(reverse("accounts:again")))
    return redirect(address_for(local_part(request, request.headers.get("Referer", ""))))


def address_for(onward: str) -> str:
    """The step-up page that leads on to ``onward``."""
    return f"{reverse('accounts:step_up')}?{urlencode({'next': onward})}"


def keep(request: HttpRequest) -> bool:
    """Keep what the form carried. False where it is too much."""
    fields = [
        [name, values]
        for name, values in request.POST.lists()
        if name not in NOT_KEPT and "password" not in name.lower()
    ]
    if sum(len(name) + sum(map(len, values)) for name, values in fields) > LARGEST_KEPT:
        return False
    at = int(timezone.now().timestamp())
    request.session[KEPT] = {"path": request.get_full_path(), "fields": fields, "at": at}
    return True


def kept_form(request: HttpRequest) -> dict[str, Any] | None:
    """The form that waits to be sent again: path, and fields as name and value; None where none waits any more."""
    kept = request.session.get(KEPT)
    if not kept or timezone.now().timestamp() - kept["at"] > KEPT_FOR.total_seconds():
        return None
    pairs = [(name, value) for name, values in kept["fields"] for value in values]
    return {"path": kept["path"], "fields": pairs}


def local_part(request: HttpRequest, url: str) -> str:
    """Path and query of an address of this portal; the first page for any other."""
    return own_page(request, url) or reverse("home")


def own_page(request: HttpRequest, url: str) -> str:
    """Path and query of an address of this portal, or nothing.

    What is left without its host is looked at once more: browsers take the path of ``https://here//there/`` for a host.
    """
    hosts = {request.get_host()}
    if not url_has_allowed_host_and_scheme(url, allowed_hosts=hosts, require_https=request.is_secure()):
        return ""
    parts = urlsplit(url)
    page = parts.path + (f"?{parts.query}" if parts.query else "")
    return page if page.startswith("/") and url_has_allowed_host_and_scheme(page, allowed_hosts=None) else ""
