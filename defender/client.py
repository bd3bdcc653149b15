"""The Defender XDR incidents of one tenant: list, read, change.

The service lists incidents by last update, newest first, at most 100 a page, and moves on by `$skip`. A link to the
next page is treated as a hint: only its `$skip` is taken, only forwards and never past what was received (but for a
page without incidents); every request goes to the configured host and path with our own filter. Bodies are handed on as
the bytes that were sent.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import parse_qs, quote, urlencode, urlsplit
from uuid import UUID

import msgspec

from defender.answers import json_body, json_object, raise_by_shape, unreadable
from defender.auth import AccessToken, TokenSource
from defender.clouds import XDR, Cloud
from defender.decoding import MAX_INCIDENT_BYTES, guess_incident_id
from defender.errors import BadInput, Transient
from defender.origin import refuse_other_tenant
from defender.splitting import SplitPage, UnreadablePage, split_page
from defender.times import parse_time
from defender.transport import Reply, Transport

# Microsoft's limit for one page of /api/incidents.
LARGEST_PAGE: Final = 100
# Ours: a million incidents in one pass is a loop, not a tenant.
MAX_PAGES: Final = 10_000

_SINCE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,7})?Z", re.ASCII)
_PATH: Final = "/api/incidents"

Call = Literal["list", "get", "patch"]


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """One page as sent: the body, its entries as bytes, the server's clock, and where the next page starts, if any."""

    body: bytes = field(repr=False)
    items: list[bytes] = field(repr=False)
    server_time: datetime | None
    skip: int
    next_skip: int | None


class DefenderClient:
    """Calls for one tenant. `before_call` hears "list", "get" or "patch" before each request, to debit a budget.

    Every method raises the errors of `defender.errors`. A 401 is answered once with a fresh token. An answer that holds
    incidents of another tenant is refused whole (WrongToken).
    """

    def __init__(
        self,
        cloud: Cloud,
        transport: Transport,
        tenant_id: UUID,
        tokens: TokenSource,
        *,
        before_call: Callable[[Call], None] | None = None,
    ) -> None:
        self._base = cloud.api(XDR) + _PATH
        self._transport = transport
        self._tenant_id = tenant_id
        self._tokens = tokens
        self._before_call = before_call

    def incident_pages(
        self,
        *,
        since: str | None,
        top: int | Callable[[], int] = LARGEST_PAGE,
        skip: int = 0,
        max_pages: int = MAX_PAGES,
    ) -> Iterator[IncidentPage]:
        """Pages of incidents updated at or after `since` (as the service writes times, 7 digits allowed), newest first.

        `skip` resumes a pass that stopped at a page; `top` may be asked for anew before each page. Raises BadInput for
        a time that is none, and Transient with code `paging-loop` where the service repeats itself or does not end.
        """
        seen: set[bytes] = set()
        first: IncidentPage | None = None
        for _ in range(max_pages):
            size = top() if callable(top) else top
            page = self._page(_page_query(since, size), skip, size)
            # Most passes have one page, which can repeat nothing and is not worth a digest.
            if first is not None and not seen:
                _refuse_repeated(first, seen)
            if first is not None:
                _refuse_repeated(page, seen)
            first = first or page
            yield page
            if page.next_skip is None:
                return
            skip = page.next_skip
        raise _loop("There were more pages than any tenant has.")

    def incident(self, incident_id: int) -> bytes:
        """One incident as sent, also a damaged one as long as it names its number. NotFound if it is gone."""
        reply, token = self._send("get", "GET", self._one(incident_id), max_bytes=MAX_INCIDENT_BYTES)
        refuse_other_tenant(reply.body, self._tenant_id)
        body = json_body(reply, hide=token.value)
        # As with an incident of a page, it is for whoever stores it to read it leniently or to put it aside.
        if guess_incident_id(body) == incident_id and body.rstrip().endswith(b"}"):
            return body
        return json_object(reply, needs="incidentId", hide=token.value)

    def update_incident(self, incident_id: int, changes: Mapping[str, Any]) -> bytes:
        """State the wanted values of some fields, in the names the API knows; returns the incident as it then is.

        Not repeated by itself: after Transient the outcome is unknown and has to be read.
        """
        if not changes:
            raise BadInput("There is nothing to change.", code="no-changes", who="us")
        body = msgspec.json.encode(dict(changes))
        reply, token = self._send("patch", "PATCH", self._one(incident_id), body=body, max_bytes=MAX_INCIDENT_BYTES)
        return json_object(reply, needs="incidentId", hide=token.value)

    def probe(self) -> None:
        """The cheapest read that proves that this tenant answers us. Returns only if it does."""
        reply, token = self._send("list", "GET", f"{self._base}?$top=1")
        self._split(reply, token)

    def _one(self, incident_id: int) -> str:
        if incident_id <= 0:
            raise BadInput("An incident has a positive number.", code="bad-incident-id", who="us")
        return f"{self._base}/{int(incident_id)}"

    def _page(self, query: str, skip: int, top: int) -> IncidentPage:
        reply, token = self._send("list", "GET", f"{self._base}?{query}&$skip={skip}")
        split = self._split(reply, token)
        return IncidentPage(reply.body, split.items, reply.server_time, skip, _next_skip(split, skip, top))

    def _split(self, reply: Reply, token: AccessToken) -> SplitPage:
        body = json_body(reply, hide=token.value)
        refuse_other_tenant(body, self._tenant_id)
        try:
            return split_page(body)
        except UnreadablePage as problem:
            reason, sentence = problem.reason, problem.sentence
        if reason == "error_object":
            raise_by_shape(reply, hide=token.value)
        raise unreadable(reply, reason, sentence, hide=token.value)

    def _send(
        self, call: Call, method: str, url: str, *, body: bytes | None = None, max_bytes: int | None = None
    ) -> tuple[Reply, AccessToken]:
        """One request; after a 401 once more with a fresh token. Whoever counts calls is told of both."""
        token = self._tokens.token(self._tenant_id, XDR)
        reply = self._request(call, method, url, token, body, max_bytes)
        if reply.status == 401:
            token = self._tokens.token(self._tenant_id, XDR, fresh=True, instead_of=token)
            reply = self._request(call, method, url, token, body, max_bytes)
        return reply, token

    def _request(
        self, call: Call, method: str, url: str, token: AccessToken, body: bytes | None, max_bytes: int | None
    ) -> Reply:
        if self._before_call is not None:
            self._before_call(call)
        headers = {"Content-Type": "application/json"} if body is not None else None
        return self._transport.call(
            method, url, resource=XDR, bearer=token.value, headers=headers, body=body, max_bytes=max_bytes
        )


def _page_query(since: str | None, top: int) -> str:
    if not 1 <= top <= LARGEST_PAGE:
        raise BadInput(f"A page holds 1 to {LARGEST_PAGE} incidents.", code="bad-page-size", who="us")
    terms = {"$top": str(top)}
    if since is not None:
        if not _SINCE.fullmatch(since) or parse_time(since) is None:
            raise BadInput("The time to read from is not a UTC time as Microsoft writes it.", code="bad-time", who="us")
        terms = {"$filter": f"lastUpdateTime ge {since}", **terms}
    return urlencode(terms, safe="$:", quote_via=quote)


def _next_skip(split: SplitPage, skip: int, top: int) -> int | None:
    """Where the next page starts: after what was received, or earlier if the link says so. None after a short page."""
    received = skip + len(split.items)
    linked = _linked_skip(split.next_link)
    if linked is not None and linked <= skip:
        raise _loop("The link to the next page leads backwards.")
    if not split.items:
        return linked
    if linked is not None:
        return min(linked, received)
    return received if split.next_link is not None or len(split.items) >= top else None


def _linked_skip(link: str | None) -> int | None:
    """The `$skip` of a link, whatever host it names; None if it has none that is a number."""
    if link is None:
        return None
    try:
        values = parse_qs(urlsplit(link).query, max_num_fields=20).get("$skip", [])
    except ValueError:
        return None
    text = values[0] if len(values) == 1 else ""
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


def _refuse_repeated(page: IncidentPage, seen: set[bytes]) -> None:
    """A page that came before in the same pass means that the service does not move on."""
    if not page.items:
        return
    digest = hashlib.blake2b(digest_size=16)
    for item in page.items:
        digest.update(item)
    if digest.digest() in seen:
        raise _loop("The same page came twice.")
    seen.add(digest.digest())


def _loop(what: str) -> Transient:
    step = "Nothing to do: the portal reads again later. If it stays so, report it to Microsoft."
    return Transient(f"Reading incidents does not come to an end. {what}", step=step, code="paging-loop")
