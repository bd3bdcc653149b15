"""What goes wrong below HTTP, and which of it is tried again at once.

Only the making of a connection is repeated, and a read once, for GET, where a kept-alive connection turned out to be
dead. Statuses are never retried here: a worker must not sleep in a library for as long as a Retry-After says.
"""

import socket
from types import TracebackType
from typing import Final, Self

import requests
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    IncompleteRead,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util.retry import Retry

from defender.deadline import is_over
from defender.errors import DefenderError, Transient


class ConnectionFaultsOnly(Retry):
    """Two more attempts to connect, one more read after a reset; a read time-out is final."""

    @classmethod
    def as_wanted(cls) -> Self:
        return cls(
            total=3,
            connect=2,
            read=1,
            redirect=0,
            status=0,
            other=0,
            allowed_methods=frozenset({"GET"}),
            backoff_factor=0.1,
            backoff_jitter=0.1,
            respect_retry_after_header=False,
            raise_on_status=False,
        )

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: urllib3.BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: urllib3.connectionpool.ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """Raises what happened instead of counting it where another attempt would only take the same time again."""
        if error is not None and (isinstance(error, ReadTimeoutError) or is_over()):
            raise error
        return super().increment(method, url, response, error, _pool, _stacktrace)


_SENTENCES: Final = {
    "deadline": "Microsoft's answer took longer than the time allowed for one call.",
    "connect-timeout": "Microsoft could not be reached in time.",
    "read-timeout": "Microsoft did not answer in time.",
    "dns": "The address of Microsoft's API could not be looked up.",
    "tls": "The encrypted connection to Microsoft could not be trusted; nothing was sent.",
    "proxy": "The proxy between here and Microsoft refused the connection.",
    "truncated": "Microsoft's answer broke off before its end.",
    "encoding": "Microsoft's answer could not be decompressed.",
    "connection": "The connection to Microsoft failed.",
}
# What an operator has to look at, as opposed to weather between here and Microsoft.
_OURS: Final = frozenset({"tls", "dns", "proxy"})
_KINDS: Final = (
    ("tls", (SSLError, requests.exceptions.SSLError)),
    ("dns", (NameResolutionError, socket.gaierror)),
    ("proxy", (ProxyError, requests.exceptions.ProxyError)),
    # Before the next row, since urllib3 calls a refused connection a kind of connect time-out.
    ("connection", (NewConnectionError,)),
    ("connect-timeout", (ConnectTimeoutError, requests.exceptions.ConnectTimeout)),
    ("read-timeout", (ReadTimeoutError, requests.exceptions.ReadTimeout, TimeoutError)),
    ("truncated", (IncompleteRead,)),
    ("encoding", (DecodeError, requests.exceptions.ContentDecodingError)),
    ("connection", (ProtocolError, HTTPError, requests.RequestException, OSError)),
)


def connection_fault(error: BaseException, request_id: str) -> DefenderError:
    """A Transient that says what happened, without holding on to the exception, which knows the request."""
    code = "deadline" if is_over() else _kind(error)
    who = "us" if code in _OURS else "microsoft"
    return Transient(
        _SENTENCES[code],
        step="Nothing to do: the portal tries again." if who == "microsoft" else "Look at the network of this machine.",
        code=code,
        reference=request_id,
        who=who,
        details={"kind": type(error).__name__},
    )


def _kind(error: BaseException) -> str:
    reasons = _reasons(error)
    for code, kinds in _KINDS:
        if any(isinstance(reason, kinds) for reason in reasons):
            return code
    return "connection"


def _reasons(error: BaseException) -> list[BaseException]:
    """The exception and everything it wraps: requests and urllib3 pack causes into arguments and attributes."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting and len(found) < 20:
        item = waiting.pop()
        if isinstance(item, BaseException) and item not in found:
            found.append(item)
            waiting += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
    return found
