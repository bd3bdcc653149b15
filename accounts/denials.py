"""Every refusal of a signed-in person leaves one line in the audit log: who asked, for which kind of page, when.

What exists and what does not are noted alike, so the log tells nothing that the answer did not. Strangers are sent to
sign in and not noted: the log is no place for whatever the internet asks. Pages without sign-in note what they refuse
themselves.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import structlog
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse

from accounts.actor import actor_for
from accounts.models import User
from audit.models import AuditEvent, Outcome
from audit.record import Actor, Event, record

log = structlog.get_logger("portal.accounts")

ACTION = "ask for a page"
REFUSALS = frozenset({403, 404, 405})
# Ours: nobody can flood the log. More than this from one person go to the portal's own log only, until the minute is
# over; several processes at once may write a few more.
MOST = 30
WINDOW = timedelta(minutes=1)
# Ours: characters of what was asked for that are kept.
KEPT = 80


class DenialMiddleware:
    """Stands outside sign-in and scope, where every answer passes and no transaction is open."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Look at the answer; it goes out as it is."""
        response = self.get_response(request)
        if response.status_code in REFUSALS and _is_guarded(request):
            note_denial(request, response.status_code)
        return response


def note_denial(request: HttpRequest, status: int) -> None:
    """One line, with the address as the portal writes it and what stood in the places of its names."""
    by, match = actor_for(request), request.resolver_match
    recent = _recent(by)
    if match is None or recent >= MOST:
        log.warning("a refusal more than the audit log takes in a minute", by=by.name)
        return
    details: dict[str, Any] = {
        "status": status,
        "asked": {name: str(value)[:KEPT] for name, value in match.kwargs.items()},
    }
    if recent == MOST - 1:
        details["more"] = "Further refusals within this minute are not written down."
    subject = f"{request.method} /{match.route}"
    record(Event(by=by, action=ACTION, subject=subject, outcome=Outcome.DENIED, details=details))


def _is_guarded(request: HttpRequest) -> bool:
    match = request.resolver_match
    return isinstance(request.user, User) and match is not None and bool(getattr(match.func, "login_required", True))


def _recent(by: Actor) -> int:
    mine = AuditEvent.objects.filter(actor=by.name, action=ACTION, outcome=Outcome.DENIED, at__gte=Now() - WINDOW)
    return mine[:MOST].count()
