"""The page that asks who you are once more, and the one that sends a waiting form."""

from typing import cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from accounts import lockout, second_factor, sessions
from accounts.actor import actor_for
from accounts.forms import AgainForm
from accounts.models import User, Visit
from accounts.step_up import kept_form, local_part
from accounts.views import minutes, too_many
from audit.models import Outcome
from audit.record import Event, record


@require_http_methods(["GET", "HEAD", "POST"])
def step_up(request: HttpRequest) -> HttpResponse:
    """Says why it asks. People from Entra ID are led there; local ones give password and code again."""
    user = cast(User, request.user)
    onward = local_part(request, request.POST.get("next") or request.GET.get("next", ""))
    shown = {"onward": onward, "waits": onward == reverse("accounts:again")}
    if not user.is_local:
        return render(request, "accounts/step_up.html", shown)
    form = AgainForm(request.POST if request.method == "POST" else None)
    if not second_factor.is_demanded_of(user):
        del form.fields["code"]
    if form.is_valid():
        buckets = lockout.buckets_for(request, what=lockout.CODE, name=user.username or "")
        if wait := lockout.count(buckets, now=timezone.now()):
            answer = render(request, "accounts/step_up.html", {**shown, "form": form, "wait": minutes(wait)})
            return too_many(answer, wait)
        if proves(user, form.cleaned_data):
            lockout.forgive(buckets)
            sessions.begin(request, user, how=Visit.How.LOCAL)
            return redirect(onward)
        record(Event(by=actor_for(request), action="sign in again", outcome=Outcome.DENIED))
        form.add_error(None, "That was not right. Nothing has been done.")
    status = 403 if form.errors else 200
    return render(request, "accounts/step_up.html", {**shown, "form": form}, status=status)


def proves(user: User, given: dict[str, str]) -> bool:
    """Password and, where one is demanded, second factor; the code is used up only with the right password."""
    if not user.check_password(given["password"]):
        return False
    return not second_factor.is_demanded_of(user) or bool(second_factor.verify(user, given["code"]))


@require_safe
def again(request: HttpRequest) -> HttpResponse:
    """The form that was refused waits here for one more press of a button."""
    kept = kept_form(request)
    if kept is None:
        return redirect("home")
    return render(request, "accounts/again.html", {"kept": kept})
