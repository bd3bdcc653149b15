"""Entra's refusals: the code, the HTTP status and the `error` word that go together, and the body around them."""

import uuid
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse

from sandbox.moments import Clock

# code: (HTTP status, error). Seen in logs of real answers where such exist, else as the error reference lists them.
CODES: dict[int, tuple[int, str]] = {
    50011: (400, "invalid_request"),
    50196: (400, "invalid_grant"),
    54005: (400, "invalid_grant"),
    70000: (400, "invalid_grant"),
    70003: (400, "unsupported_grant_type"),
    70008: (400, "invalid_grant"),
    70011: (400, "invalid_scope"),
    90055: (429, "temporarily_unavailable"),
    90002: (400, "invalid_request"),
    501481: (400, "invalid_grant"),
    500011: (400, "invalid_resource"),
    500014: (400, "invalid_resource"),
    700016: (400, "unauthorized_client"),
    700024: (401, "invalid_client"),
    700027: (401, "invalid_client"),
    900021: (400, "invalid_tenant"),
    900144: (400, "invalid_request"),
    901002: (400, "invalid_request"),
    7000112: (400, "unauthorized_client"),
    7000215: (401, "invalid_client"),
    7000218: (401, "invalid_client"),
    7000222: (401, "invalid_client"),
    7000229: (401, "invalid_client"),
    9001023: (400, "invalid_request"),
}


@dataclass
class Refused(Exception):
    """A request Entra turns down. `error` overrides the usual word: endpoints name an unknown tenant differently."""

    code: int
    message: str
    error: str | None = None

    @property
    def status(self) -> int:
        """The HTTP status that goes with the code."""
        return CODES[self.code][0]


def body_of(clock: Clock, error: str, code: int, message: str) -> dict[str, Any]:
    """The error object with trace id, correlation id and time, in the recorded shape."""
    now, trace, correlation = f"{clock.now():%Y-%m-%d %H:%M:%S}Z", str(uuid.uuid4()), str(uuid.uuid4())
    tail = f"Trace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {now}"
    return {
        "error": error,
        "error_description": f"AADSTS{code}: {message}\r\n{tail}",
        "error_codes": [code],
        "timestamp": now,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={code}",
    }


def answer(clock: Clock, refusal: Refused) -> JSONResponse:
    """The refusal as an HTTP answer."""
    error = refusal.error or CODES[refusal.code][1]
    headers = {"Cache-Control": "max-age=86400" if refusal.code in (90002, 900021) else "no-store"}
    body = body_of(clock, error, refusal.code, refusal.message)
    return JSONResponse(body, refusal.status, headers | {"x-ms-request-id": body["trace_id"]})
