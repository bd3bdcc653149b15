"""The one way out: every byte to or from Microsoft passes here.

Contract. A request goes only to the sign-in host of the configured cloud or, with a token, to the API host of the
resource the token is for; anything else is refused before a socket is opened. Redirects are not followed. Every call
has a connect and a read time-out, an overall deadline that a dripping server cannot stretch, and a cap on the
*decompressed* size of the answer. Certificates are always checked. Nothing of the environment changes a call except the
proxy settings; in particular neither `.netrc` nor `REQUESTS_CA_BUNDLE` does. No cookies are kept, since one pool serves
all tenants. In the sandbox the stand-in's addresses take the place of Microsoft's at the last moment.

A transport may be used by many threads. What comes back is a `Reply` of any status, or an exception of
`defender.errors`; `defender.answers` says what a reply means.
"""

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import certifi
import requests
import urllib3
from requests.utils import get_environ_proxies

from defender.clouds import Cloud, Resource
from defender.deadline import DeadlineAdapter, within
from defender.errors import DefenderError, Transient
from defender.faults import ConnectionFaultsOnly, connection_fault

CONNECT_AND_READ: Final = (3.0, 30.0)
DEADLINE: Final = 120.0
# Our own cap for one page of incidents, decompressed; real pages are below one megabyte.
MAX_BYTES: Final = 256 * 1024 * 1024
POOL_SIZE: Final = 64
_CHUNK: Final = 256 * 1024
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of any status: lower-case header names, the body decompressed, and the id we sent along."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    request_id: str = ""

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def server_time(self) -> datetime | None:
        """The server's own clock, from the Date header, in UTC."""
        try:
            moment = parsedate_to_datetime(self.headers["date"])
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (KeyError, ValueError, OverflowError, TypeError):
            return None


class Transport:
    """One pool of connections to one cloud, shared by all tenants and threads.

    `timeout` is (connect, read) and `deadline` the whole call, in seconds; `max_bytes` caps a decompressed body.
    `gate` is asked before each call and may refuse it with an error of `defender.errors`.
    `ca_bundle` is a path to the certificates to trust instead of the ones shipped with certifi.
    """

    def __init__(
        self,
        cloud: Cloud,
        *,
        timeout: tuple[float, float] = CONNECT_AND_READ,
        deadline: float = DEADLINE,
        max_bytes: int = MAX_BYTES,
        pool_size: int = POOL_SIZE,
        ca_bundle: str | None = None,
        gate: Callable[[], None] = lambda: None,
    ) -> None:
        self.cloud = cloud
        self._timeout = timeout
        self._deadline = deadline
        self._gate = gate
        self._max_bytes = max_bytes
        self._verify = ca_bundle or certifi.where()
        self._adapter = DeadlineAdapter(
            pool_connections=8, pool_maxsize=pool_size, max_retries=ConnectionFaultsOnly.as_wanted()
        )
        self._proxies: dict[str, dict[str, str]] = {}

    def call(
        self,
        method: str,
        url: str,
        *,
        resource: Resource | None = None,
        bearer: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | str | None = None,
        deadline: float | None = None,
        max_bytes: int | None = None,
    ) -> Reply:
        """One exchange. `url` is always Microsoft's own; without `resource` it must be the sign-in host.

        Raises Transient for everything that happens below HTTP and for answers over the cap, DefenderError with code
        `host-not-allowed` for an address outside the allow-list.
        """
        self._gate()
        target = self._target(url, resource, bearer)
        request_id = str(uuid.uuid4())
        sent = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": "defender-portal"}
        sent |= {**(headers or {}), "client-request-id": request_id}
        if bearer is not None:
            sent["Authorization"] = f"Bearer {bearer}"
        request = requests.Request(method, target, headers=sent, data=body).prepare()
        with within(deadline or self._deadline):
            outcome = self._exchange(request, request_id, max_bytes or self._max_bytes)
        # Raised out here, after the handler has ended, so that no chained exception keeps the request with its token.
        if isinstance(outcome, DefenderError):
            raise outcome
        return outcome

    def close(self) -> None:
        """Close the pooled connections."""
        self._adapter.close()

    def _exchange(self, request: requests.PreparedRequest, request_id: str, cap: int) -> Reply | DefenderError:
        try:
            response = self._adapter.send(
                request,
                stream=True,
                timeout=self._timeout,
                verify=self._verify,
                proxies=self._proxies_for(str(request.url)),
            )
            with response.raw as raw:
                body = _read_capped(raw, cap)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            return connection_fault(error, request_id)
        if body is None:
            return Transient(
                f"The answer is larger than the {cap // 1024} KiB allowed.", code="too-large", reference=request_id
            )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, headers, body, request_id)

    def _target(self, url: str, resource: Resource | None, bearer: str | None) -> str:
        """The address to really send to, after the allow-list has been asked."""
        origin = self.cloud.authority if resource is None else self.cloud.api(resource)
        parts = urlsplit(url)
        allowed = url.startswith(origin + "/") and _PRINTABLE.fullmatch(url) and "\\" not in url
        if not allowed or (bearer is not None and resource is None):
            raise DefenderError(
                "The portal was about to call an address that is not one of this cloud's own; nothing was sent.",
                code="host-not-allowed",
                details={"host": parts.netloc, "expected": origin},
            )
        if bearer is not None and not _PRINTABLE.fullmatch(bearer):
            raise Transient("The token holds characters that no token has.", code="token-unreadable")
        return self._base(resource) + url.removeprefix(origin)

    def _base(self, resource: Resource | None) -> str:
        stand_in = self.cloud.stand_in
        if stand_in is None:
            return self.cloud.authority if resource is None else self.cloud.api(resource)
        if resource is None:
            return stand_in.login
        return {"xdr": stand_in.xdr, "mde": stand_in.mde, "graph": stand_in.graph}[resource.key]

    def _proxies_for(self, url: str) -> dict[str, str]:
        """The proxies of the environment, looked up once per host; a stand-in is always reached directly."""
        if self.cloud.stand_in is not None:
            return {}
        host = urlsplit(url).netloc
        if host not in self._proxies:
            self._proxies[host] = dict(get_environ_proxies(url))
        return self._proxies[host]


def _read_capped(raw: urllib3.BaseHTTPResponse, cap: int) -> bytes | None:
    """The decompressed body, or None if it is longer than the cap, in which case reading stops there."""
    chunks, size = [], 0
    while chunk := raw.read(_CHUNK, decode_content=True):
        size += len(chunk)
        if size > cap:
            raw.close()
            return None
        chunks.append(chunk)
    raw.release_conn()
    return b"".join(chunks)
