"""When a session ends: after a time without use, after a working day, when its person or staff end it, when its person
is switched off. Looked at on every request, so that each of these holds from the next one on."""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts import second_factor
from accounts.actor import actor_for
from accounts.models import User, Visit
from accounts.sessions import visit_of
from audit.record import Actor, Event, record

# How exact "last seen" is: one write a minute is enough for a limit of half an hour.
SEEN_EVERY = timedelta(minutes=1)


class SessionLimitsMiddleware:
    """Signs out whoever's visit is over; what stands behind in the list then asks them to sign in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """One look at the visit per request of somebody signed in."""
        if not isinstance(request.user, User):
            if "visit" in request.session:  # somebody whom Django no longer knows: switched off
                turn_out(request, "may no longer sign in")
        elif why := look(request, request.user, timezone.now()):
            turn_out(request, why)
        return self.get_response(request)


def look(request: HttpRequest, user: User, now: datetime) -> str:
    """Why the visit is over, or nothing; where it goes on, that it was seen is noted."""
    visit = Visit.objects.filter(pk=visit_of(request), user=user, ended_at=None).first()
    if visit is None:
        return "ended elsewhere"
    if now - visit.started_at >= settings.SESSION_ABSOLUTE:
        return "signed in too long ago"
    if now - visit.seen_at >= settings.SESSION_IDLE:
        return "not used for too long"
    if second_factor.is_demanded_of(user) and not request.session.get(second_factor.GIVEN):
        return "without second factor"
    if not is_poll(request) and now - visit.seen_at >= SEEN_EVERY:
        Visit.objects.filter(pk=visit.pk).update(seen_at=now)
    return ""


def is_poll(request: HttpRequest) -> bool:
    """Whether an open page asks by itself. Our script says so; who leaves it out only stays to the absolute limit."""
    return request.headers.get("X-Poll") == "1"


def turn_out(request: HttpRequest, why: str) -> None:
    """Sign out a visit that is over. Where it was ended elsewhere, that has been written down there."""
    this = Visit.objects.filter(pk=visit_of(request), user_id=request.session.get(SESSION_KEY, "0"))
    with transaction.atomic():
        end(this, why=why, by=actor_for(request), now=timezone.now())
        logout(request)


def visits_of(user: User) -> QuerySet[Visit]:
    """A person's visits that have not been ended, the last seen first; those past a limit end when they next ask."""
    return Visit.objects.filter(user=user, ended_at=None)


def open_visits_of(user: User, now: datetime) -> QuerySet[Visit]:
    """What the person's own page lists: visits that may still go on."""
    young, used = now - settings.SESSION_ABSOLUTE, now - settings.SESSION_IDLE
    return visits_of(user).filter(started_at__gt=young, seen_at__gt=used)


def end(visits: QuerySet[Visit], *, why: str, by: Actor, now: datetime) -> int:
    """End these visits: whoever is in one is asked to sign in at the next request. Returns how many there were."""
    with transaction.atomic():
        ending = list(visits.filter(ended_at=None).select_related("user").select_for_update(of=("self",)))
        Visit.objects.filter(pk__in=[visit.pk for visit in ending]).update(ended_at=now, ended_why=why)
        lines = [Event(by=by, action="end session", subject=str(v.user), details={"why": why}) for v in ending]
        if lines:
            record(*lines)
    return len(ending)


def drop_old(*, before: datetime) -> None:
    """Visits that were over before that moment, and sessions that no browser may use any more."""
    Visit.objects.filter(seen_at__lt=before, alarm_due_at=None).delete()
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
