"""Who acts, for the audit log."""

from django.http import HttpRequest

from accounts.models import User
from audit.record import Actor


def actor_for(request: HttpRequest, name: str | None = None) -> Actor:
    """The signed-in person (or ``name`` where nobody is) with request id and network address.

    A request that somebody's program makes says what it came by: ``acts_through``, no longer than 100 characters.
    """
    user = getattr(request, "user", None)
    if name is None:
        name = _named(user, getattr(request, "acts_through", "")) if isinstance(user, User) else "anonymous"
    return Actor(name, getattr(request, "request_id", ""), request.META.get("REMOTE_ADDR", ""))


def person_name(user: User) -> str:
    """A name with the stable id beside it, since names may repeat. The log cuts long names, never the id."""
    return f"{user.display_name[:150]} (#{user.pk})"


def _named(user: User, through: str) -> str:
    return f"{user.display_name[:80]} (#{user.pk}) by {through}" if through else person_name(user)
