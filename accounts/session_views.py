"""One's own sessions: where one is signed in, and ending them."""

from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from accounts import second_factor
from accounts.actor import actor_for
from accounts.models import User, Visit
from accounts.session_limits import end, open_visits_of, visits_of
from accounts.sessions import visit_of
from accounts.step_up import fresh_sign_in_required


@require_safe
def sessions(request: HttpRequest) -> HttpResponse:
    """Where the person is signed in: since when, last seen, how, from where, with what."""
    visits = open_visits_of(cast(User, request.user), timezone.now())
    this = UUID(visit_of(request))
    shown: dict[str, object] = {"visits": visits, "this": this}
    if second_factor.is_demanded_of(cast(User, request.user)):
        shown |= {"has_authenticator": True, "codes": second_factor.recovery_codes_left(cast(User, request.user))}
    return render(request, "accounts/sessions.html", shown)


@fresh_sign_in_required
@require_POST
def end_session(request: HttpRequest, visit: UUID) -> HttpResponse:
    """End one of one's own; somebody else's is as unknown as none."""
    mine = Visit.objects.filter(user=cast(User, request.user), pk=visit)
    if not mine.exists():
        raise Http404
    ended = end(mine, why="ended by its person", by=actor_for(request), now=timezone.now())
    if ended:
        messages.success(request, "This session has ended.")
    else:
        messages.info(request, "This session had ended already.")
    return redirect("accounts:sessions")


@fresh_sign_in_required
@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    """End every session but this one."""
    others = visits_of(cast(User, request.user)).exclude(pk=visit_of(request))
    ended = end(others, why="ended by its person", by=actor_for(request), now=timezone.now())
    messages.success(request, f"Other sessions ended: {ended}.")
    return redirect("accounts:sessions")
