"""Answers as the Defender APIs give them: headers, error objects, compression, and what faults send instead."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from email.utils import formatdate
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.casebook import serialise
from sandbox.faults import Fault
from sandbox.squeeze import accepted, segment, wrap

JSON = "application/json; charset=utf-8"
ODATA = "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8"
PAGE = "<!doctype html><title>Guest network</title><h1>Please accept the terms of this network</h1>"
# The codes of the XDR error page that go with a status a fault may ask for.
_CODES = {400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "ResourceNotFound", 429: "429"}


def tracking_id() -> str:
    """The ``target`` of an error: a GUID, or one of the other form that was recorded, so nobody insists on a GUID."""
    number = uuid.uuid4()
    return str(number) if number.int % 3 else f"|{number.hex[:8]}-{number.hex[8:24]}."


def error(
    status: int, code: str, message: str, *, target: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The error object of the Defender APIs; a tracking id is made up unless a target is given."""
    body = {"error": {"code": code, "message": message, "target": target or tracking_id()}}
    return Response(serialise(body), status, dict(headers or {}), JSON)


def throttled(message: str, retry_after: str | None, *, tenant_id: str) -> Response:
    """429 as it was logged: the code is the number as text, the tenant is the target, the message names the wait."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return error(429, "429", message, target=tenant_id, headers=headers)


def odata(body: bytes, accept_encoding: str, packed: Sequence[bytes] | None = None) -> Response:
    """A 200 with the recorded headers, compressed where the caller takes it; ``packed`` are ready deflate pieces."""
    headers = {"OData-Version": "4.0", "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
    encoding = accepted(accept_encoding)
    if encoding:
        body = wrap(list(packed or [segment(body)]), body, encoding)
        headers["Content-Encoding"] = encoding
    return Response(body, 200, headers, ODATA)


def instead(fault: Fault, *, tenant_id: str, now: float) -> Response:
    """What a fault of ``faults.INSTEAD`` sends in the endpoint's place. ``now`` in seconds of the world's clock."""
    if fault.kind == "throttle":
        said = f"API calls quota exceeded! You can send requests again in {fault.options.get('seconds', 5)} seconds."
        return throttled(str(fault.options.get("message", said)), retry_after(fault, now=now), tenant_id=tenant_id)
    if fault.kind == "html":
        return Response(PAGE, int(fault.number_option("status", 200)), media_type="text/html; charset=utf-8")
    if fault.kind == "empty":
        return Response(b"", 200, media_type=ODATA)
    if fault.kind == "error_object":
        return error(200, "InternalServerError", "Something went wrong.")
    status = int(fault.number_option("status", 503))
    return error(status, _CODES.get(status, "InternalServerError"), f"A fault of the sandbox: {status}.")


def retry_after(fault: Fault, *, now: float) -> str | None:
    """Retry-After of a throttle: seconds; with ``header`` false none, "date" an HTTP date, other text as it stands."""
    header, seconds = fault.options.get("header", True), fault.options.get("seconds", 5)
    if header is False:
        return None
    if header == "date":
        return formatdate(now + float(seconds), usegmt=True)
    return str(seconds if header is True else header)


async def wait(faults: Sequence[Fault], *, at_least: float = 0.0) -> None:
    """Be as slow, in seconds, as the slowest fault asks for."""
    delay = max([at_least, *(fault.number_option("seconds", 2.0) for fault in faults if fault.kind == "slow")])
    if delay:
        await asyncio.sleep(delay)


def spoiled(whole: Response, faults: Sequence[Fault]) -> Response:
    """The endpoint's own answer, cut off or dripping where a fault says so."""
    for fault in faults:
        if fault.kind == "cut":
            return Cut(whole, share=fault.number_option("share", 0.6))
        if fault.kind == "drip":
            seconds, pieces = fault.number_option("seconds", 60.0), fault.number_option("pieces", 120)
            return Dripped(whole, seconds=seconds, pieces=int(pieces))
    return whole


class Cut(Response):
    """Another answer that stops early: its length was promised, then the connection drops, as when a proxy dies."""

    def __init__(self, whole: Response, *, share: float) -> None:
        super().__init__(None, whole.status_code)
        size = len(whole.body)
        self.body, self.raw_headers = bytes(whole.body)[: max(0, min(int(size * share), size - 1))], whole.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """More is announced and never comes; the server then drops the connection."""
        await _start(self, send)
        await send({"type": "http.response.body", "body": self.body, "more_body": True})


class Dripped(Response):
    """Another answer in ``pieces`` pieces spread over ``seconds``."""

    def __init__(self, whole: Response, *, seconds: float, pieces: int) -> None:
        super().__init__(None, whole.status_code)
        self.body, self.raw_headers = whole.body, whole.raw_headers
        self.pieces = max(pieces, 1)
        self.pause = seconds / self.pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Piece by piece, each after its pause."""
        body = bytes(self.body)
        size = max(1, -(-len(body) // self.pieces))
        await _start(self, send)
        for place in range(0, len(body), size):
            await asyncio.sleep(self.pause)
            await send({"type": "http.response.body", "body": body[place : place + size], "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _start(response: Response, send: Send) -> None:
    start: dict[str, Any] = {"type": "http.response.start", "status": response.status_code}
    await send(start | {"headers": response.raw_headers})
