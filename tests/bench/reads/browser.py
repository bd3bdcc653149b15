"""Requests through the whole of the portal, as gunicorn would hand them to it, until the last byte of the answer."""

import io
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.wsgi import get_wsgi_application
from django.utils import timezone

from accounts import second_factor
from accounts.models import User, Visit
from accounts.sessions import BACKEND
from tests.bench.agreement import Wrong

NONE: Mapping[str, str] = MappingProxyType({})
application: Any = None


class Browser:
    """One person, signed in."""

    def __init__(self, user: User) -> None:
        global application
        if application is None:
            settings.ROOT_URLCONF = "tests.bench.reads.naive"
            application = get_wsgi_application()
        self.user, self.cookie = user, f"{settings.SESSION_COOKIE_NAME}={_session(user)}"

    def get(self, path: str, headers: Mapping[str, str] = NONE, *, wanted: int = 200) -> tuple[float, bytes]:
        """Milliseconds until the last byte, and the body. Raises Wrong unless the answer has this status."""
        path, _, query = path.partition("?")
        environ = self._environ(path, query) | {f"HTTP_{name.upper()}": value for name, value in headers.items()}
        statuses: list[str] = []
        began = time.perf_counter()
        answer = application(environ, lambda status, *_: statuses.append(status))
        body = b"".join(answer)
        answer.close()
        spent = 1000 * (time.perf_counter() - began)
        if not statuses[0].startswith(str(wanted)):
            raise Wrong(f"{path} answered {statuses[0]} to {self.user}.")
        return spent, body

    def _environ(self, path: str, query: str) -> dict[str, Any]:
        return {
            "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": query,
            "SERVER_NAME": "localhost", "SERVER_PORT": "8000", "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8000", "HTTP_COOKIE": self.cookie,
            "HTTP_USER_AGENT": "bench", "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(),
            "wsgi.errors": io.StringIO(), "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
        }  # fmt: skip


def _session(user: User) -> str:
    """What the door leaves behind for somebody who has just come in with both factors."""
    now = timezone.now()
    visit = Visit.objects.create(user=user, how=Visit.How.LOCAL, started_at=now, seen_at=now)
    session = SessionStore()
    session.update(
        {
            SESSION_KEY: str(user.pk),
            BACKEND_SESSION_KEY: BACKEND,
            HASH_SESSION_KEY: user.get_session_auth_hash(),
            "signed_in_at": int(now.timestamp()),
            "signed_in_how": "local",
            "visit": str(visit.pk),
            second_factor.GIVEN: "authenticator",
        }
    )
    session.create()
    return str(session.session_key)
