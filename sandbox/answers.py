"""What an endpoint sends when a fault strikes, and the small pieces every answer of the APIs shares."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from sandbox.faults import INSTEAD, Fault

ODATA = {"Content-Type": "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8"}
ODATA |= {"OData-Version": "4.0"}
PAGE = "<!doctype html><title>Sign in to the network</title><p>Please accept the terms of this network."
# One byte a second would outlast every test; this is slow enough for a deadline to strike.
DRIP_SECONDS = 0.5
CUT_AT = 0.6


def error(status: int, code: str, message: str, *, target: str, headers: Mapping[str, str] | None = None) -> Response:
    """The error object of the Defender APIs."""
    return JSONResponse({"error": {"code": code, "message": message, "target": target}}, status, dict(headers or {}))


def throttled(message: str, seconds: int, *, tenant_id: str, with_header: bool) -> Response:
    """429 as it was logged: the code is the number as text, the time stands in the message."""
    headers = {"Retry-After": str(seconds)} if with_header else {}
    return error(429, "429", message, target=tenant_id, headers=headers)


def instead(faults: list[Fault], *, tenant_id: str) -> Response | None:
    """The answer of the first fault that replaces the endpoint's own."""
    fault = next((fault for fault in faults if fault.kind in INSTEAD), None)
    if fault is None:
        return None
    if fault.kind == "throttle":
        seconds = int(fault.number_option("seconds", 5))
        message = fault.options.get(
            "message", f"API calls quota exceeded! You can send requests again in {seconds} seconds."
        )
        return throttled(message, seconds, tenant_id=tenant_id, with_header=bool(fault.options.get("header", True)))
    return _replaced(fault, tenant_id)


def _replaced(fault: Fault, tenant_id: str) -> Response:
    if fault.kind == "html":
        return Response(PAGE, int(fault.number_option("status", 200)), media_type="text/html")
    if fault.kind == "empty":
        return Response(b"", 200, headers=ODATA)
    if fault.kind == "error_object":
        return error(200, "InternalServerError", "Something went wrong.", target=tenant_id)
    status = int(fault.number_option("status", 503))
    codes = {401: "Unauthorized", 403: "Forbidden", 404: "ResourceNotFound", 400: "BadRequest"}
    return error(status, codes.get(status, "InternalServerError"), f"Fault {status}.", target=tenant_id)


async def wait(faults: list[Fault], *, at_least: float = 0.0) -> None:
    """Be as slow as the slowest fault asks for."""
    slow = [fault.number_option("seconds", 2.0) for fault in faults if fault.kind == "slow"]
    delay = max([at_least, *slow])
    if delay:
        await asyncio.sleep(delay)


def spoiled(response: Response, faults: list[Fault]) -> Response:
    """The endpoint's own answer, cut off or dripping where a fault says so."""
    kinds = {fault.kind for fault in faults}
    body = bytes(response.body)
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    if "cut" in kinds:
        headers["content-length"] = str(len(body))
        return StreamingResponse(_cut(body), response.status_code, headers)
    if "drip" in kinds:
        return StreamingResponse(_drip(body), response.status_code, headers)
    return response


class CutOff(Exception):
    """Raised to drop the connection in the middle of an answer; the server logs nothing of it."""


async def _cut(body: bytes) -> AsyncIterator[bytes]:
    yield body[: int(len(body) * CUT_AT)]
    raise CutOff


async def _drip(body: bytes) -> AsyncIterator[bytes]:
    for place in range(0, len(body), 64):
        yield body[place : place + 64]
        await asyncio.sleep(DRIP_SECONDS)


def encoded(plain: bytes, request: Request, status: int = 200) -> Response:
    """A JSON body, compressed where the caller takes gzip."""
    if "gzip" in request.headers.get("accept-encoding", "") and len(plain) > 1000:
        return Response(gzip.compress(plain, 1), status, headers=ODATA | {"Content-Encoding": "gzip"})
    return Response(plain, status, headers=ODATA)


def dumps(value: Any) -> bytes:
    """Compact JSON."""
    return json.dumps(value, separators=(",", ":")).encode()
