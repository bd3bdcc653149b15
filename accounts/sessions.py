"""Where a session begins, whichever way the person came in.

The session carries ``signed_in_at`` (epoch seconds of the last time the person proved who they are), ``signed_in_how``
and ``visit``, the row that every request looks at: see ``accounts.session_limits``.
"""

from datetime import datetime
from uuid import UUID

from django.contrib.auth import login
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.actor import actor_for
from accounts.models import User, Visit
from accounts.second_factor import is_demanded_of
from audit.record import Event, record

BACKEND = "django.contrib.auth.backends.ModelBackend"


def begin(request: HttpRequest, user: User, how: str, *, proved_at: int | None = None) -> None:
    """Sign the person in, with a new session id and a line in the audit log: no line, no session.

    Where the same person is signed in already (they were asked once more), their visit goes on and its limits stay.
    ``proved_at`` (epoch seconds) is when they proved who they are, where that was not just now.
    """
    now = timezone.now()
    with transaction.atomic():
        visit = _goes_on(request, user) or _new(request, user, how, now)
        login(request, user, backend=BACKEND)
        request.session.cycle_key()
        begun_at = int(now.timestamp())
        request.session["signed_in_at"] = begun_at if proved_at is None else min(proved_at, begun_at)
        request.session["signed_in_how"] = how
        request.session["visit"] = str(visit.pk)
        record(Event(by=actor_for(request), action="sign in", details={"how": how}))


def visit_of(request: HttpRequest) -> str:
    """Which visit the session names; nobody's where it names none."""
    return str(request.session.get("visit", UUID(int=0)))


def _goes_on(request: HttpRequest, user: User) -> Visit | None:
    if request.user != user:
        return None
    return Visit.objects.filter(pk=visit_of(request), user=user, ended_at=None).first()


def _new(request: HttpRequest, user: User, how: str, now: datetime) -> Visit:
    return Visit.objects.create(
        user=user,
        how=how,
        started_at=now,
        seen_at=now,
        address=request.META.get("REMOTE_ADDR", "")[:64],
        browser=printable(request.headers.get("User-Agent", "")),
        # Local accounts are for the day on which the other way in is broken; a worker tells everybody of each use.
        alarm_due_at=now if is_demanded_of(user) else None,
    )


def printable(text: str) -> str:
    """What a browser calls itself, without characters that PostgreSQL or a terminal would stumble over."""
    return "".join(char for char in text if char.isprintable())[:200]
