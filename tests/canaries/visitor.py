"""Somebody's browser as far as secrets go: it keeps every answer whole, and notes the secrets that it is handed."""

import html
import re
from dataclasses import dataclass, field

import requests

from tests.canaries.canaries import Canaries

_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
_HIDDEN_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
# What our cookies are called on plain http, and the kind of secret in each.
COOKIES = {
    "session": "session id",
    "csrf": "CSRF token",
    "connect": "browser cookie",
    "known": "known browser",
}


@dataclass
class Answers:
    """Everything the portal has answered to anybody."""

    headers: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    statuses: set[int] = field(default_factory=set)

    def keep(self, answer: requests.Response) -> None:
        """One answer, under a line that names its question without the secrets in it."""
        path = re.sub(r"/connect/[^/]{20,}", "/connect/…", (answer.request.path_url or "").partition("?")[0])
        path = re.sub(r"portal_[\w-]{43}", "portal_…", path)
        named = f"=== {answer.request.method} {path} {answer.status_code}\n".encode()
        lines = [f"{name}: {value}".encode("latin-1") for name, value in answer.raw.headers.items()]
        self.headers.append(named + b"\n".join(lines))
        self.bodies.append(named + answer.content)
        self.statuses.add(answer.status_code)


class Visitor:
    """One browser profile at the portal."""

    def __init__(self, url: str, answers: Answers, canaries: Canaries) -> None:
        self.url, self.answers, self.canaries = url, answers, canaries
        self.browser = requests.Session()
        self.browser.trust_env = False

    def get(self, path: str, **options: object) -> requests.Response:
        """A page; redirects are shown, not followed."""
        return self._ask("GET", path, options)

    def post(self, path: str, fields: dict[str, str] | None = None, *, seen_on: str = "") -> requests.Response:
        """A form filled in and sent from its page."""
        page = self.get(seen_on or path)
        hidden = {name: html.unescape(value) for name, value in _HIDDEN.findall(page.text)}
        data = hidden | (fields or {})
        return self._ask("POST", path, {"data": data, "headers": {"Referer": self.url + path}})

    def bare_post(self, path: str, fields: dict[str, str]) -> requests.Response:
        """A form sent by another site's page: without the hidden token."""
        return self._ask("POST", path, {"data": fields})

    def _ask(self, method: str, path: str, options: dict[str, object]) -> requests.Response:
        url = path if path.startswith("http") else self.url + path
        answer = self.browser.request(method, url, timeout=30, allow_redirects=False, **options)  # type: ignore[arg-type]
        self.answers.keep(answer)
        for cookie in answer.cookies:
            if cookie.name in COOKIES and cookie.value and len(cookie.value) >= 16:
                self.canaries.add(COOKIES[cookie.name], cookie.value)
        for token in _HIDDEN_TOKEN.findall(answer.text):
            self.canaries.add("CSRF token", token)
        return answer
