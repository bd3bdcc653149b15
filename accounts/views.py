"""One door in, one door out. Sign-in through Entra ID is the normal way; local accounts are for emergencies."""

from datetime import timedelta
from math import ceil
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_GET, require_POST

from accounts import entra, flows, lockout, second_factor, sessions
from accounts.actor import actor_for
from accounts.forms import SignInForm, account_name
from accounts.models import User, Visit
from accounts.refusals import Refused
from accounts.session_limits import visits_of
from accounts.sessions import visit_of
from accounts.step_up import own_page
from accounts.transactions import opens_own_scope
from audit.models import Outcome
from audit.record import Event, record


@method_decorator(login_not_required, name="dispatch")
class SignInView(LoginView):
    """The one page that asks who you are."""

    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        """Where the person wanted to go, if that is a page of the portal and not this one."""
        page = own_page(self.request, self.request.POST.get("next") or self.request.GET.get("next", ""))
        return "" if page.partition("?")[0] == self.request.path else page

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Count the try, then look at it. Too many: nothing is looked at, whoever is named."""
        name = account_name(request.POST.get("username", ""))
        self.buckets = lockout.buckets_for(request, what=lockout.PASSWORD, name=name)
        if wait := lockout.count(self.buckets, now=timezone.now()):
            return too_many(self.render_to_response(self.get_context_data(form=SignInForm(), wait=minutes(wait))), wait)
        response: HttpResponse = super().post(request, *args, **kwargs)
        return response

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """The password is right: signed in where no second factor is demanded, else half-way."""
        user = form.get_user()
        lockout.forgive(self.buckets)
        if second_factor.is_demanded_of(user):
            second_factor.open_half(self.request, user, self.get_success_url())
            return redirect("accounts:second_factor" if second_factor.is_set_up(user) else "accounts:enrol")
        sessions.begin(self.request, user, how=Visit.How.LOCAL)
        response = HttpResponseRedirect(self.get_success_url())
        lockout.remember_browser(response, user)
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Refused: the name tried is recorded, the password never."""
        tried = str(form.data.get("username", ""))[:150]
        record(Event(by=actor_for(self.request), action="sign in", subject=tried, outcome=Outcome.DENIED))
        response: HttpResponse = super().form_invalid(form)
        response.status_code = 403
        return response


@login_not_required
@require_POST
@opens_own_scope
def entra_begin(request: HttpRequest) -> HttpResponse:
    """Leads to Microsoft. ``next`` says where to go afterwards; ``fresh=1`` has Microsoft ask for proof again.

    The answer is a page that leads on by itself and no redirect, since the content policy lets no form end elsewhere.
    """
    fresh = request.user.is_authenticated and request.POST.get("fresh") == "1"
    try:
        address = entra.begin(request, fresh=fresh, onward=_onward(request))
    except Refused as refused:
        return _refuse(request, refused)
    return render(request, "accounts/to_microsoft.html", {"address": address})


@login_not_required
@require_GET
@opens_own_scope
def entra_callback(request: HttpRequest) -> HttpResponse:
    """Microsoft sends the browser back here."""
    try:
        return redirect(entra.finish(request))
    except Refused as refused:
        return _refuse(request, refused)


def _onward(request: HttpRequest) -> str:
    """Where the person wanted to go, if that is a page of the portal."""
    return own_page(request, request.POST.get("next", "")) or resolve_url(settings.LOGIN_REDIRECT_URL)


def _refuse(request: HttpRequest, refused: Refused) -> HttpResponse:
    """A sentence and a reference for the person; the reason for the log only."""
    flows.leave_nothing_empty(request)
    details = {"how": "entra", "reason": refused.reason}
    record(
        Event(
            by=actor_for(request), action="sign in", subject=refused.who[:300], outcome=Outcome.DENIED, details=details
        )
    )
    shown = {"sentence": refused.sentence, "reference": getattr(request, "request_id", "")}
    return render(request, "accounts/refused.html", shown, status=refused.status)


def too_many(response: HttpResponse, wait: timedelta) -> HttpResponse:
    """The answer to a try that was not looked at."""
    response.status_code = 429
    response.headers["Retry-After"] = str(ceil(wait.total_seconds()))
    return response


def minutes(wait: timedelta) -> str:
    """A wait in words."""
    whole = ceil(wait.total_seconds() / 60)
    return f"{whole} minute" if whole == 1 else f"{whole} minutes"


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Ends the session here."""
    by, now = actor_for(request), timezone.now()
    record(Event(by=by, action="sign out"))
    this = visits_of(cast(User, request.user)).filter(pk=visit_of(request))
    this.update(ended_at=now, ended_why="signed out")
    logout(request)
    response = redirect("accounts:sign_in")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response
