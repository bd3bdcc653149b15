"""``python -m tests.bench.upstream PORT DELAY_MS`` answers what a poll asks, as cheaply as may be.

The stand-in cloud costs as much CPU as the portal; a benchmark of the portal needs something that costs nearly none.
"""

import asyncio
import json
import re
import sys
import time
from typing import Any

import jwt

LOGIN = "https://login.microsoftonline.com"
ROLES = ["Incident.Read.All", "Incident.ReadWrite.All"]
_TENANT = re.compile(rb"^[A-Z]+ /([0-9a-f-]{36})/")
_EMPTY = json.dumps({"@odata.context": "x", "value": []}).encode()


def _response(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


EMPTY = _response(_EMPTY)
COUNT = b"GET /count "  # how many lists were asked for so far


class Upstream(asyncio.Protocol):
    """One connection."""

    delay = 0.0
    lists = 0
    client_id = "5a11db0c-0000-4000-8000-00000000c0de"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody calls."""
        self.transport: Any = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        """A request is whole when its head is, and its body if it has one."""
        self.received += data
        head, _, body = self.received.partition(b"\r\n\r\n")
        if not _:
            return
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if length and len(body) < int(length[1]):
            return
        self.received = b""
        if head.startswith(b"GET /api/"):
            Upstream.lists += 1
            answer = EMPTY
        else:
            answer = _response(b"%d" % Upstream.lists) if head.startswith(COUNT) else self.of_entra(head)
        if self.delay and answer is EMPTY:
            asyncio.get_running_loop().call_later(self.delay, self.transport.write, answer)
        else:
            self.transport.write(answer)

    def of_entra(self, head: bytes) -> bytes:
        """Discovery and tokens."""
        found = _TENANT.match(head)
        tenant = found[1].decode() if found else ""
        if b"openid-configuration" in head.split(b"\r\n", 1)[0]:
            base = f"{LOGIN}/{tenant}"
            return _response(json.dumps({
                "issuer": f"{base}/v2.0", "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
            }).encode())  # fmt: skip
        now = int(time.time())
        claims = {"aud": "https://api.security.microsoft.com", "tid": tenant, "appid": self.client_id, "roles": ROLES}
        token = jwt.encode({**claims, "iat": now, "exp": now + 3900}, "k" * 32, algorithm="HS256")
        return _response(json.dumps({"token_type": "Bearer", "expires_in": 3899, "access_token": token}).encode())


async def serve(port: int, delay: float) -> None:
    """Until it is ended."""
    Upstream.delay = delay
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=512)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))
