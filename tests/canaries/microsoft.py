"""The sandbox cloud in a thread, which tells this run every token that it gave out and everything that it was sent."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.server import Server, bind
from sandbox.world import World
from tests.canaries.canaries import Canaries


class Overheard:
    """Around the sandbox: notes tokens and statements as canaries, and keeps what came in, call by call."""

    def __init__(self, app: ASGIApp, canaries: Canaries) -> None:
        self.app, self.canaries = app, canaries
        self.calls: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call."""
        is_for_us = scope["type"] == "http" and not scope["path"].startswith("/_sandbox")
        if not is_for_us:
            return await self.app(scope, receive, send)
        asked: list[bytes] = []
        told: list[bytes] = []

        async def hear() -> Message:
            message = await receive()
            asked.append(message.get("body", b""))
            return message

        async def say(message: Message) -> None:
            told.append(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, hear, say)
        finally:
            self._note(scope, b"".join(asked), b"".join(told))
        return None

    def _note(self, scope: Scope, asked: bytes, told: bytes) -> None:
        query = scope["query_string"]
        head = f"{scope['method']} {scope['path']}?{query.decode('latin-1')}\n".encode()
        headers = b"\n".join(name + b": " + value for name, value in scope["headers"])
        self.calls.append(b"\n".join([b"=== " + head, headers, b"", asked, b""]))
        if "/oauth2/" in scope["path"]:
            self._tokens(parse_qs(asked.decode("latin-1")), told)

    def _tokens(self, form: dict[str, list[str]], told: bytes) -> None:
        for statement in form.get("client_assertion", []):
            self.canaries.add_token("client assertion", statement)
        for verifier in form.get("code_verifier", []):
            self.canaries.add("PKCE verifier", verifier)
        for code in form.get("code", []):
            self.canaries.add("authorization code", code)
        try:
            answer: dict[str, Any] = json.loads(told)
        except ValueError:
            return
        for name, kind in (("access_token", "access token"), ("id_token", "ID token")):
            if isinstance(answer, dict) and name in answer:
                self.canaries.add_token(kind, answer[name])


@contextmanager
def overheard_cloud(world: World, canaries: Canaries) -> Iterator[tuple[str, Overheard]]:
    """The address of a running sandbox, and who listens there."""
    listener = bind("127.0.0.1", 0)
    server = Server(world)
    ear = Overheard(server.config.app, canaries)  # type: ignore[arg-type]
    server.config.app = ear
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="cloud", daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the sandbox did not start"
            time.sleep(0.01)
        yield f"http://localhost:{listener.getsockname()[1]}", ear
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
