"""The way through Microsoft as a browser goes it: the portal's page, the sandbox's page, and back."""

import html
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests
from django.contrib.sessions.models import Session

from accounts.models import User
from audit.models import AuditEvent
from sandbox.home import PEOPLE, TENANT_ID, Person
from sandbox.server import Running
from tests.conftest import WebClient

CALLBACK = "/sign-in/callback/"


@dataclass
class Visitor:
    """One browser, and the sandbox that stands in for Microsoft."""

    sandbox: Running
    portal: WebClient = field(default_factory=WebClient)
    microsoft: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.microsoft.trust_env = False

    def begin(self, **form: str) -> str:
        """Press the portal's button; the address at Microsoft that the page leads to."""
        page = self.portal.post("/sign-in/microsoft/", form)
        assert page.status_code == 200, page.text
        found = re.search(r'content="0;url=([^"]+)"', page.text)
        assert found
        return html.unescape(found[1])

    def choose(self, address: str, user: str = "alice", **answer: str) -> dict[str, str]:
        """Say at Microsoft who you are; the query that it sends the browser back with."""
        sent = {"user": user, **answer}
        back = self.microsoft.post(address, data=sent, allow_redirects=False, timeout=20)
        assert back.status_code == 302, back.text
        parts = urlsplit(back.headers["Location"])
        assert parts.path == CALLBACK
        return {name: values[0] for name, values in parse_qs(parts.query).items()}

    def come_back(self, query: dict[str, str] | str) -> Any:
        """The browser arrives at the portal."""
        return self.portal.get(f"{CALLBACK}?{query if isinstance(query, str) else urlencode(query)}")

    def sign_in(self, user: str = "alice", **form: str) -> Any:
        """The whole way; the portal's answer at its end."""
        return self.come_back(self.choose(self.begin(**form), user))

    def forge(self, way: str) -> None:
        """The next ID token is made in this way."""
        self.sandbox.world.faults.add(TENANT_ID, {"kind": "forged_id_token", "way": way, "count": 1})

    def is_signed_in(self) -> bool:
        """Whether pages open."""
        return bool(self.portal.get("/tenants/").status_code == 200)


def person(user_name: str) -> Person:
    """Somebody of the home tenant."""
    return next(one for one in PEOPLE if one.user_name == user_name)


def user_of(user_name: str) -> User:
    """The row of somebody who has signed in."""
    return User.objects.get(tid=TENANT_ID, oid=person(user_name).object_id)


def sessions_with_somebody() -> int:
    """How many sessions are signed in."""
    return sum("_auth_user_id" in session.get_decoded() for session in Session.objects.all())


def log(action: str = "sign in") -> list[tuple[str, str, str]]:
    """(subject, outcome, reason) of each sign-in in the audit log, oldest first."""
    rows = AuditEvent.objects.filter(action=action).order_by("id")
    return [(row.subject, row.outcome, row.details.get("reason", "")) for row in rows]


def told(page: str) -> str:
    """A page without what is new each time, and without the name that was typed."""
    return re.sub(r'nonce="[^"]+"|name="csrfmiddlewaretoken" value="[^"]+"|name="username" value="[^"]+"', "", page)
