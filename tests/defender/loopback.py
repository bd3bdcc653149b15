"""A scripted HTTP server on loopback: answers what a test tells it, and remembers what it was asked."""

import json
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(urlsplit(self.target).query).items()}

    @property
    def form(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True)
class Answer:
    """What to send back. `raw` sends those bytes instead of everything else and then hangs up."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    hang: threading.Event | None = None
    drip: bytes | None = None


def answer(payload: object, status: int = 200, **headers: str) -> Answer:
    """A JSON answer."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, body, {"Content-Type": "application/json; charset=utf-8", **given})


Script = Callable[[Asked], Answer]


class _Quiet(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what many of these tests are about."""


class Loopback:
    """A running server. `queue` answers come first, in order; then `script` decides."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.queue: deque[Answer] = deque()
        self.asked: list[Asked] = []
        self.connections = 0
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = _Quiet(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def reply_to(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            waiting = self.queue.popleft() if self.queue else None
        return waiting if waiting is not None else self.script(asked)

    def run(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def stop(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def wrap(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        loopback = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                loopback.connections += 1
                super().setup()

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = loopback.reply_to(Asked(self.command, self.path, headers, self.rfile.read(length)))
                try:
                    self._send(reply)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True

            def _send(self, reply: Answer) -> None:
                if reply.hang is not None:
                    reply.hang.wait(20)
                if reply.raw is not None:
                    self.wfile.write(reply.raw)
                    self.close_connection = True
                    return
                if reply.drip is not None:
                    self._drip(reply.drip)
                    return
                self.send_response(reply.status)
                for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)

            def _drip(self, text: bytes) -> None:
                self.close_connection = True
                for byte in text:
                    if loopback.closing.wait(0.05):
                        return
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()

            do_GET = do_POST = do_PATCH = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                """Quiet."""

        return Handler


@contextmanager
def serving(script: Script | None = None) -> Iterator[Loopback]:
    """A loopback server for the length of a block; without a script everything is 404."""
    loopback = Loopback(script or (lambda asked: answer({}, 404)))
    thread = threading.Thread(target=loopback.run, daemon=True)
    thread.start()
    try:
        yield loopback
    finally:
        loopback.stop()
        thread.join(5)
