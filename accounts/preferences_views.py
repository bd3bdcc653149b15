"""A person's own preferences: a page, and the theme's buttons in the person menu."""

from dataclasses import asdict, replace
from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from accounts.actor import actor_for
from accounts.forms import PreferencesForm
from accounts.models import Theme, User
from accounts.preferences import Preferences, prefer, preferences_of


@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest) -> HttpResponse:
    """The form with what is in force; what was typed stays where it cannot be kept."""
    user, now = cast(User, request.user), timezone.now()
    if request.method != "POST":
        form = PreferencesForm(initial=asdict(preferences_of(user)), now=now)
        return render(request, "accounts/preferences.html", {"form": form})
    form = PreferencesForm(request.POST, now=now)
    if not form.is_valid():
        return render(request, "accounts/preferences.html", {"form": form}, status=422)
    prefer(user=user, wanted=Preferences(**form.cleaned_data), by=actor_for(request), now=now)
    messages.success(request, "Your preferences are kept.")
    return redirect("accounts:preferences")


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """The person menu's buttons. The page has changed its look already where scripts run, so it needs no content."""
    user, chosen = cast(User, request.user), request.POST.get("theme", "")
    if chosen not in Theme.values:
        return HttpResponseBadRequest("There is no such theme.")
    wanted = replace(preferences_of(user), theme=chosen)
    prefer(user=user, wanted=wanted, by=actor_for(request), now=timezone.now())
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204)
    return redirect("accounts:preferences")
