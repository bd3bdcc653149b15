"""The HTTP client that MSAL is given: our transport, in the shape MSAL expects.

MSAL sees only answers that are good. Everything else is raised here as one of our errors, which matters for four of
its habits: it remembers a 400 for 60 seconds, so a consent given meanwhile would go unnoticed; it holds back calls
after 429 and 5xx inside one object, where nobody sees it; it writes a token answer that is not JSON into the log as it
came; and it raises a bare JSONDecodeError or ValueError where the answer has another shape.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import msgspec

from defender.aadsts import explain
from defender.answers import retry_after
from defender.errors import DefenderError, Throttled, Transient
from defender.transport import Reply, Transport

# Discovery documents are about 2 KB, tokens below 10 KB; both caps are ours.
MAX_BYTES: Final = 256 * 1024
DEADLINE: Final = 40.0
# What is passed on of a token answer. A refresh or id token has no business in an app-only answer.
_KEPT: Final = ("token_type", "access_token", "expires_in")


class MsalResponse:
    """A good answer, with the four attributes that MSAL reads."""

    def __init__(self, text: str) -> None:
        self.status_code = 200
        self.text = text
        self.headers: dict[str, str] = {}

    def raise_for_status(self) -> None:
        """Nothing to raise: failures never get this far."""


class MsalHttp:
    """`http_client` for MSAL. Raises the errors of `defender.errors` straight through MSAL to our own caller."""

    def __init__(self, transport: Transport, *, deadline: float = DEADLINE) -> None:
        self._transport = transport
        self._deadline = deadline

    def get(self, url: str, params: Mapping[str, str] | None = None, **rest: Any) -> MsalResponse:
        """Tenant discovery: an object that names the endpoints, in the cloud we asked."""
        address = f"{url}?{urlencode(params)}" if params else url
        reply = self._call("GET", address, _headers(rest))
        document = oauth_object(reply)
        prefix = self._transport.cloud.authority + "/"
        endpoints = [document.get(name) for name in ("authorization_endpoint", "token_endpoint")]
        if not all(isinstance(url, str) and url.startswith(prefix) and _first_segment(url) for url in endpoints):
            raise odd(reply)
        return MsalResponse(msgspec.json.encode(document).decode())

    def post(self, url: str, data: Mapping[str, Any] | str | None = None, **rest: Any) -> MsalResponse:
        """The token request; `data` is MSAL's form. Nothing of the answer but the token and its age is passed on."""
        form = data if isinstance(data, str) else urlencode({key: _flat(value) for key, value in (data or {}).items()})
        headers = {**_headers(rest), "Content-Type": "application/x-www-form-urlencoded"}
        reply = self._call("POST", url, headers, form)
        return MsalResponse(msgspec.json.encode(self.passed_on(oauth_object(reply), reply)).decode())

    def _call(self, method: str, url: str, headers: dict[str, str], body: str | None = None) -> Reply:
        return self._transport.call(
            method, url, headers=headers, body=body, deadline=self._deadline, max_bytes=MAX_BYTES
        )

    def passed_on(self, answer: Mapping[str, Any], reply: Reply) -> dict[str, Any]:
        """What MSAL is given of a good answer. Raises Transient where the answer lacks what was asked for."""
        if not isinstance(answer.get("access_token"), str) or not answer["access_token"]:
            raise odd(reply)
        kept = {key: answer[key] for key in _KEPT if key in answer}
        return {**kept, "expires_in": _lifetime(answer.get("expires_in"))}

    def close(self) -> None:
        """The transport outlives every MSAL object; whoever made it closes it."""


def oauth_object(reply: Reply) -> Mapping[str, Any]:
    """The JSON object of a good answer of the sign-in host; raises what any other answer stands for.

    No part of the body is kept in an error: it may hold a token.
    """
    parsed = _parsed(reply)
    if reply.status == 429:
        wait = retry_after(reply.headers, "", now=reply.server_time or datetime.now(UTC))
        sentence = "Entra ID asks for fewer requests at the moment."
        raise Throttled(sentence, code="http-429", retry_after=wait, reference=reply.request_id)
    if parsed is None:
        raise odd(reply)
    if reply.status >= 500:
        raise _fault(reply)
    if reply.status != 200 or "error" in parsed:
        raise explain(parsed, hint=f"http-{reply.status}")
    return parsed


def _parsed(reply: Reply) -> dict[str, Any] | None:
    try:
        parsed = msgspec.json.decode(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return None
    return parsed if isinstance(parsed, dict) else None


def odd(reply: Reply) -> DefenderError:
    """What an answer of another form than expected stands for."""
    if reply.status >= 500:
        return _fault(reply)
    return Transient(
        f"Entra ID's answer (status {reply.status}) was not of the form expected; a proxy may stand between.",
        code="entra-shape" if reply.status == 200 else f"http-{reply.status}",
        reference=reply.request_id,
        details={"type": reply.media_type},
    )


def _fault(reply: Reply) -> Transient:
    wait = retry_after(reply.headers, "", now=reply.server_time or datetime.now(UTC))
    sentence = f"Entra ID had a fault of its own (status {reply.status})."
    return Transient(sentence, code=f"http-{reply.status}", retry_after=wait, reference=reply.request_id)


def _headers(rest: Mapping[str, Any]) -> dict[str, str]:
    """MSAL's own headers, as text; its request id goes, since the transport sends one of its own."""
    return {str(key): str(value) for key, value in (rest.get("headers") or {}).items() if key != "client-request-id"}


def _flat(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _first_segment(url: str) -> str:
    return urlsplit(url).path.strip("/").partition("/")[0]


def _lifetime(value: object) -> int:
    """Seconds that a token lives: a number, or a number as text; anything else counts as five minutes."""
    try:
        return min(max(int(value), 0), 86_400 * 2) if isinstance(value, int | float | str) else 300
    except (ValueError, OverflowError):
        return 300
