"""A proxy on loopback that lets an answer through up to a byte, and then hangs up."""

import re
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

_CONNECTION = re.compile(rb"\r\nConnection:[^\r\n]*", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)", re.IGNORECASE)
_CHUNK = 65536
_SECONDS = 10


class CuttingProxy:
    """Every connection carries one exchange. Answers to requests that begin with ``only`` are cut after ``cut`` bytes.

    ``cut`` None lets everything through; ``reset`` hangs up as a machine that vanishes does. ``last`` is the whole of
    the last such answer, as it came.
    """

    def __init__(self, url: str, *, only: bytes = b"GET /api/incidents") -> None:
        parts = urlsplit(url)
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._only = only
        self.cut: int | None = None
        self.reset = False
        self.last = b""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def run(self) -> None:
        """Until the proxy is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._exchange, args=(client,), daemon=True).start()

    def close(self) -> None:
        """No more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _exchange(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            client.settimeout(_SECONDS)
            request = _read_request(client)
            if not request:
                return
            answer = self._ask(request)
            if request.startswith(self._only):
                self.last, answer = answer, answer[: self.cut]
            client.sendall(answer)
            if self.reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _ask(self, request: bytes) -> bytes:
        head, blank, body = request.partition(b"\r\n\r\n")
        alone = _CONNECTION.sub(b"", head) + b"\r\nConnection: close" + blank + body
        with socket.create_connection(self._upstream, timeout=_SECONDS) as upstream:
            upstream.sendall(alone)
            return b"".join(iter(lambda: upstream.recv(_CHUNK), b""))


def _read_request(client: socket.socket) -> bytes:
    request = b""
    while b"\r\n\r\n" not in request:
        piece = client.recv(_CHUNK)
        if not piece:
            return b""
        request += piece
    head, _, body = request.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    while length and len(body) < int(length[1]):
        body += client.recv(_CHUNK)
    return head + b"\r\n\r\n" + body


@contextmanager
def cutting(url: str) -> Iterator[CuttingProxy]:
    """A proxy before a server, for the length of a block."""
    proxy = CuttingProxy(url)
    thread = threading.Thread(target=proxy.run, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(5)
