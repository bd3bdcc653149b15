"""How often one network address may use the doors that stand open to everybody: sign-in, connect page, callback; and
how often one token may use the API.

Counted in Redis, in windows of a minute, so that all web processes see one count and a stranger costs no write to
PostgreSQL. Redis may be emptied at any time; the count then begins anew. While Redis does not answer, each process
counts for itself: the limit never goes away, it only gets wider.
"""

import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any, Final

import redis
import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from accounts.networks import network_of
from api.problems import is_api, too_often

log = structlog.get_logger("portal.limits")

WINDOW: Final = 60
# By the name of the URL. The names of one row are counted together.
DOORS: Final[dict[str, str]] = {
    "accounts:sign_in": "sign-in",
    "accounts:entra_begin": "sign-in",
    "accounts:entra_callback": "sign-in",
    "accounts:second_factor": "sign-in",
    "accounts:enrol": "sign-in",
    "accounts:step_up": "sign-in",
    "tenants:connect": "connect",
    "tenants:callback": "connect",
}
# Ours: addresses one process remembers while Redis is away; then it forgets them all and begins anew.
REMEMBERED: Final = 50_000
# Ours: a page must not wait for Redis; web and Redis stand side by side.
PATIENCE: Final = 0.25


class LimitMiddleware:
    """Refuses what comes too often with 429, before the view is asked."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Nothing to do before it is known which view answers."""
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """None lets the request through."""
        match = request.resolver_match
        address = network(str(request.META.get("REMOTE_ADDR", "")))
        door, most, whose = DOORS.get(match.view_name) if match else None, settings.RATE_LIMIT_PER_MINUTE, address
        if is_api(request):
            token = getattr(request, "api_token", None)
            door, most = "api", settings.API_RATE_LIMIT_PER_MINUTE
            whose = f"token {token.pk}" if token else address
        if door is None:
            return None
        now = time.time()
        if count(f"{door}:{whose}", now=now) <= most:
            return None
        log.warning("too many requests", door=door, address=address, whose=whose)
        wait = WINDOW - int(now) % WINDOW
        return too_often(wait) if door == "api" else refusal(wait=wait)


def refusal(*, wait: int) -> HttpResponse:
    """A page that says when to come back, and tells nothing else."""
    page = render_to_string("429.html", {"wait": wait, "portal_name": settings.PORTAL_NAME})
    return HttpResponse(page, status=429, headers={"Retry-After": str(wait)})


def network(address: str) -> str:
    """Whom a count is for: a network; what is no address is counted together."""
    return network_of(address) or "unknown"


def count(key: str, *, now: float) -> int:
    """How often ``key`` has been counted in this window, this time included. ``now`` in seconds since 1970."""
    window = int(now) // WINDOW
    try:
        return _count_in_redis(f"{settings.REDIS_KEY_PREFIX}limit:{key}:{window}")
    except redis.RedisError as error:
        log.warning("limits are counted per process", error=type(error).__name__)
        return _OURS.count(key, window)


def _count_in_redis(name: str) -> int:
    with _server().pipeline(transaction=True) as pipe:
        pipe.incr(name)
        pipe.expire(name, 2 * WINDOW)
        return int(pipe.execute()[0])


@cache
def _server() -> "redis.Redis":
    """One pool per process; it connects when it is first asked."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)


class _OwnCount:
    """What this process has counted in the window that is running."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._window = 0
        self._counts: dict[str, int] = {}

    def count(self, key: str, window: int) -> int:
        """As ``count``; bounded in memory."""
        with self._lock:
            if window != self._window or len(self._counts) >= REMEMBERED:
                self._window, self._counts = window, {}
            self._counts[key] = self._counts.get(key, 0) + 1
            return self._counts[key]


_OURS: Final = _OwnCount()
