"""An overall time limit for one HTTP exchange, which holds against a server that drips.

A read time-out starts anew with every byte, so a peer that sends one byte in a while can keep a thread for hours, in
the headers as well as in the body. Here every single read from the socket first asks how much time the whole call has
left. The limit is set per thread around the call, because an HTTP exchange stays in the thread that began it.
"""

import http.client
import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection


class _Limit(threading.local):
    at: float | None = None


_limit = _Limit()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Every read from a socket of `DeadlineAdapter` in this thread ends with TimeoutError once the time is over."""
    before = _limit.at
    _limit.at = time.monotonic() + seconds
    try:
        yield
    finally:
        _limit.at = before


def is_over() -> bool:
    """Whether the time of the call around us is used up."""
    return _limit.at is not None and time.monotonic() >= _limit.at


class _TimedReads(io.RawIOBase):
    """The raw side of a response: reads from the socket, but never past the limit of the call."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._read_timeout = sock.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if _limit.at is not None:
            left = _limit.at - time.monotonic()
            if left <= 0:
                raise TimeoutError("The time for this call is over.")
            self._sock.settimeout(left if self._read_timeout is None else min(left, self._read_timeout))
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_TimedReads(self.fp.detach(), sock))


class _TimedHTTPConnection(HTTPConnection):
    response_class = _TimedResponse


class _TimedHTTPSConnection(HTTPSConnection):
    response_class = _TimedResponse


class _TimedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _TimedHTTPConnection


class _TimedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _TimedHTTPSConnection


_POOLS = {"http": _TimedHTTPPool, "https": _TimedHTTPSPool}


class DeadlineAdapter(HTTPAdapter):
    """requests' adapter, direct or through a proxy, with connections that obey `within`."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, **pool_kwargs)
        self._use_timed_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        self._use_timed_pools(manager)
        return manager

    @staticmethod
    def _use_timed_pools(manager: PoolManager) -> None:
        manager.pool_classes_by_scheme = dict(_POOLS)
