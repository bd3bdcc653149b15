"""What a reply of the Defender APIs means: the JSON that was asked for, or one of the errors with Microsoft's reason.

A status of success is not believed on its own: a page of a captive portal, an empty body or an error object with status
200 all end as errors, by their shape.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NoReturn

import msgspec

from defender.errors import (
    DefenderError,
    Forbidden,
    NotFound,
    Rejected,
    Stale,
    Throttled,
    Transient,
    Unauthorized,
    plain,
)
from defender.transport import Reply

# Our own bounds for a wait that Microsoft names: a hint of zero must make no hot loop, one of years no dead tenant.
SHORTEST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 3600.0
# How much of an error answer is looked at, in bytes, and of an unreadable one kept, in characters. Ours.
_ERROR_BODY: Final = 64 * 1024
_HEAD: Final = 200

_SECONDS: Final = re.compile(r"\bin\s+(\d{1,12})(?:\.\d+)?\s+(second|minute)", re.IGNORECASE)
_NUMBER: Final = re.compile(r"\s*(\d{1,15})(?:\.\d*)?\s*", re.ASCII)
_STALE: Final = frozenset({409, 412})
_WAIT: Final = "Nothing to do: the portal waits and tries again."
_RETRY: Final = "Nothing to do: the portal tries again."


def json_body(reply: Reply, *, hide: str = "") -> bytes:
    """The body of a 200 answer that claims to be JSON and is not empty; raises what any other reply stands for.

    `hide` is the token of the call, in case the answer echoes it.
    """
    if reply.status != 200:
        raise refusal(reply, hide=hide)
    if not (reply.media_type == "application/json" or reply.media_type.endswith("+json")):
        raise unreadable(reply, "content-type", "Microsoft's answer was not JSON, but something else.", hide=hide)
    if not reply.body.strip():
        raise unreadable(reply, "empty", "Microsoft's answer was empty.")
    return reply.body


def json_object(reply: Reply, *, needs: str, hide: str = "") -> bytes:
    """As `json_body`, for an answer that must be an object with the key `needs`."""
    body = json_body(reply, hide=hide)
    parsed = _object(body)
    if parsed is None or needs not in parsed:
        raise_by_shape(reply, parsed, hide=hide)
    return body


def raise_by_shape(reply: Reply, parsed: Mapping[str, Any] | None = None, *, hide: str = "") -> NoReturn:
    """Raises the error inside a 200 answer that holds one, else that the answer cannot be read."""
    found = parsed if parsed is not None else _object(reply.body)
    if found is not None and isinstance(found.get("error"), dict):
        raise _by_code(reply, _api_error(found), hide=hide)
    raise unreadable(reply, "shape", "Microsoft's answer was JSON of another shape than expected.", hide=hide)


def refusal(reply: Reply, *, hide: str = "") -> DefenderError:
    """The error that a reply with a status other than 200 stands for."""
    return _by_status(reply, reply.status, _api_error(_object(reply.body[:_ERROR_BODY]) or {}), hide)


def unreadable(reply: Reply, code: str, sentence: str, *, hide: str = "") -> Transient:
    """A Transient that keeps the hash and the escaped beginning of a body nobody could read."""
    start = plain(reply.body[: _HEAD * 4].decode("utf-8", "replace"), _HEAD, hide=(hide,))
    details = {"body_sha256": hashlib.sha256(reply.body).hexdigest(), "body_start": start, "type": reply.media_type}
    return Transient(sentence, step=_RETRY, code=code, reference=reply.request_id or None, details=details)


def retry_after(headers: Mapping[str, str], message: str, *, now: datetime) -> float | None:
    """Seconds to wait, 1 to 3600, by the header (number or date) or else "in N seconds" in the message; or None."""
    seconds = _from_header(headers.get("retry-after", ""), now)
    if seconds is None and (found := _SECONDS.search(message[:4000])):
        seconds = float(found[1]) * (60 if found[2].lower() == "minute" else 1)
    return None if seconds is None else min(max(seconds, SHORTEST_WAIT), LONGEST_WAIT)


def _from_header(text: str, now: datetime) -> float | None:
    if found := _NUMBER.fullmatch(text):
        return float(found[1])
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


class _ApiError:
    """The three fields of an API error, each text or empty."""

    __slots__ = ("code", "message", "target")

    def __init__(self, error: object) -> None:
        fields = error if isinstance(error, dict) else {}
        self.code, self.message, self.target = (_text(fields.get(key)) for key in ("code", "message", "target"))


def _api_error(body: Mapping[str, Any]) -> _ApiError:
    return _ApiError(body.get("error"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _object(body: bytes) -> Mapping[str, Any] | None:
    try:
        parsed = msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
        return None
    return parsed if isinstance(parsed, dict) else None


# Error codes of a body that came with status 200, and the status they would have come with.
_STATUS_OF: Final[Mapping[str, int]] = {
    "TooManyRequests": 429,
    "429": 429,
    "Unauthorized": 401,
    "Forbidden": 403,
    "DisabledFeature": 403,
    "DisallowedOperation": 403,
    "NotFound": 404,
    "ResourceNotFound": 404,
    "InternalServerError": 500,
    "BadRequest": 400,
    "ODataError": 400,
    "InvalidInput": 400,
    "InvalidRequestBody": 400,
}


def _by_code(reply: Reply, error: _ApiError, *, hide: str) -> DefenderError:
    return _by_status(reply, _STATUS_OF.get(error.code, 502), error, hide)


def _by_status(reply: Reply, status: int, error: _ApiError, hide: str) -> DefenderError:
    said = plain(error.message, hide=(hide,))
    code = plain(error.code, 60) if re.fullmatch(r"[A-Za-z][A-Za-z0-9_.]{1,59}", error.code) else f"http-{status}"
    # The tracking id that support asks for; without one, the id that we sent along ourselves.
    reference = plain(error.target, 128, hide=(hide,)) or reply.request_id or None
    if status == 429:
        wait = retry_after(reply.headers, error.message, now=reply.server_time or datetime.now(UTC))
        sentence = "Microsoft asks for fewer requests to this tenant."
        return Throttled(sentence, step=_WAIT, code=code, retry_after=wait, reference=reference)
    if status == 401:
        return Unauthorized("Microsoft does not accept the token.", step=_RETRY, code=code, reference=reference)
    if status == 403:
        return _forbidden(code, said, reference)
    if status == 404:
        return NotFound("Microsoft no longer has this object, or never had it.", code=code, reference=reference)
    if status in _STALE:
        return Stale("The object was changed by somebody else meanwhile.", code=code, reference=reference)
    if 400 <= status < 500 and status != 408:
        sentence = f"Microsoft refused the request: {said or 'no reason given.'}"
        return Rejected(sentence, code=code, detail=said, reference=reference)
    return _passing(reply, status, error, reference)


def _forbidden(code: str, said: str, reference: str | None) -> Forbidden:
    details = {"said": said} if said else None
    if code in ("DisabledFeature", "DisallowedOperation"):
        sentence = "This feature is switched off in the customer's tenant."
        step = "Check the licence and settings with the customer."
    else:
        sentence = "The customer's tenant does not allow this call."
        step = "Compare the roles granted with those the portal needs, then ask for consent again."
    return Forbidden(sentence, step=step, code=code, reference=reference, details=details)


def _passing(reply: Reply, status: int, error: _ApiError, reference: str | None) -> Transient:
    if 300 <= status < 400:
        sentence = "Microsoft's answer pointed to another address, which the portal does not follow."
    elif status == 206:
        sentence = "Microsoft answered with a part of the data only."
    else:
        sentence = f"Microsoft's service had a fault of its own (status {status})."
    wait = retry_after(reply.headers, error.message, now=reply.server_time or datetime.now(UTC))
    return Transient(sentence, step=_RETRY, code=f"http-{status}", retry_after=wait, reference=reference)
