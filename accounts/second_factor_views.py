"""The second half of sign-in with a password: give a code, or set the authenticator up the first time.

Nobody is signed in on these pages. What opens them is the half-open session that a right password left in this browser.
The last page is for those who are in: it replaces their authenticator.
"""

from typing import cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts import lockout, second_factor, sessions
from accounts.actor import actor_for, person_name
from accounts.forms import CodeForm, FirstCodeForm
from accounts.models import User, Visit
from accounts.session_limits import end, visits_of
from accounts.sessions import visit_of
from accounts.step_up import fresh_sign_in_required
from accounts.views import minutes, too_many
from audit.models import Outcome
from audit.record import Event, record

WRONG_CODE = "This code is not right, or it has been used. Wait for the next one."
WRONG_FIRST_CODE = "This code is not right. Is the clock of the device right?"


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def second_factor_page(request: HttpRequest) -> HttpResponse:
    """Ask for a code of whoever gave the right password; a right one signs in."""
    user = second_factor.half_open_for(request)
    if user is None:
        return redirect("accounts:sign_in")
    if not second_factor.is_set_up(user):
        return redirect("accounts:enrol")
    form = CodeForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        buckets = lockout.buckets_for(request, what=lockout.CODE, name=user.username or "")
        if wait := lockout.count(buckets, now=timezone.now()):
            return too_many(page(request, "accounts/second_factor.html", form=CodeForm(), wait=minutes(wait)), wait)
        if given := second_factor.verify(user, form.cleaned_data["code"]):
            lockout.forgive(buckets)
            return signed_in(request, user, given)
        refuse(request, user)
        form.add_error("code", WRONG_CODE)
    return page(request, "accounts/second_factor.html", status=403 if form.errors else 200, form=form)


@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def enrol(request: HttpRequest) -> HttpResponse:
    """Set up an authenticator, then show the recovery codes, once; only then is the person signed in."""
    user = second_factor.half_open_for(request)
    if user is None or second_factor.is_set_up(user):
        return redirect("accounts:second_factor" if user else "accounts:sign_in")
    place = request.session[second_factor.HALF_OPEN]["place"]
    form = FirstCodeForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        by = actor_for(request, person_name(user))
        if codes := second_factor.confirm(user=user, place=place, code=form.cleaned_data["code"], by=by):
            onward = signed_in(request, user, "authenticator")
            return with_codes(request, codes, onward)
        refuse(request, user)
        form.add_error("code", WRONG_FIRST_CODE)
    return page(request, "accounts/enrol.html", status=403 if form.errors else 200, **shown_of(user, place, form))


@fresh_sign_in_required
@require_http_methods(["GET", "HEAD", "POST"])
def authenticator(request: HttpRequest) -> HttpResponse:
    """Replace one's own authenticator: the former one counts until the new one has given a code."""
    user = cast(User, request.user)
    if not second_factor.is_demanded_of(user):
        messages.info(
            request, "This account has no authenticator of the portal's: its second factor is set up elsewhere."
        )
        return redirect("accounts:sessions")
    place = visit_of(request)
    form = FirstCodeForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        by = actor_for(request)
        with transaction.atomic():
            codes = second_factor.confirm(user=user, place=place, code=form.cleaned_data["code"], by=by)
            others = visits_of(user).exclude(pk=place)
            end(others if codes else others.none(), why="new authenticator", by=by, now=timezone.now())
        if codes:
            return with_codes(request, codes, HttpResponseRedirect(reverse("accounts:sessions")))
        form.add_error("code", WRONG_FIRST_CODE)
    shown = shown_of(user, place, form)
    return page(request, "accounts/authenticator.html", status=403 if form.errors else 200, **shown)


def shown_of(user: User, place: str, form: FirstCodeForm) -> dict[str, object]:
    """What a page that sets an authenticator up shows: its secret, as a picture and as text, and the form."""
    device = second_factor.new_authenticator(user, place)
    picture = second_factor.picture_of(second_factor.address_of(device))
    return {"form": form, "picture": picture, "secret": second_factor.secret_of(device), "account": user.username}


def signed_in(request: HttpRequest, user: User, given: str) -> HttpResponseRedirect:
    """Both factors were right: the session begins, and the browser is known from now on."""
    onward = request.session[second_factor.HALF_OPEN]["next"]
    del request.session[second_factor.HALF_OPEN]
    sessions.begin(request, user, how=Visit.How.LOCAL)
    request.session[second_factor.GIVEN] = given
    response = HttpResponseRedirect(onward or settings.LOGIN_REDIRECT_URL)
    lockout.remember_browser(response, user)
    return response


def with_codes(request: HttpRequest, codes: list[str], onward: HttpResponseRedirect) -> HttpResponse:
    """The only page that ever shows the recovery codes; it leads on to where the person wanted to go."""
    response = page(request, "accounts/recovery_codes.html", codes=codes, onward=onward.url)
    response.cookies.update(onward.cookies)
    return response


def refuse(request: HttpRequest, user: User) -> None:
    """Somebody who knows the password does not have the second factor: that is worth a line."""
    by, details = actor_for(request), {"why": "second factor"}
    record(Event(by=by, action="sign in", subject=str(user), outcome=Outcome.DENIED, details=details))


def page(request: HttpRequest, template: str, *, status: int = 200, **context: object) -> HttpResponse:
    """One of these pages; what they show must not come from a browser's history."""
    return render(request, template, context, status=status)
