"""What goes wrong, as programs read it: RFC 9457, with a sentence that says what to do.

The API raises ``Problem``; Django's own refusals (404, 403 and so on) and faults become the same form in the handlers
below, which leave every other address its page.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.views import defaults

TYPE: Final = "application/problem+json"
SENTENCES: Final[Mapping[int, str]] = {
    400: "The request cannot be read.",
    403: "The token, or its owner's role, does not include this.",
    404: "There is no such thing, or the token is not for it.",
    500: "Something went wrong here. The portal's log has it under the id in the header X-Request-ID.",
}


class Problem(Exception):
    """An answer that is no success. ``more`` are further members: plain JSON values."""

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers or {}, more

    def response(self) -> HttpResponse:
        """As it is sent."""
        said = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }
        return HttpResponse(json.dumps(said), status=self.status, content_type=TYPE, headers=dict(self.headers))


def too_often(wait: int) -> HttpResponse:
    """What a token gets that asks more often than it may; ``wait`` in seconds."""
    said = f"Too many requests in this minute. Ask again in {wait} seconds."
    return Problem(429, said, headers={"Retry-After": str(wait)}).response()


def is_api(request: HttpRequest) -> bool:
    """Whether the address is one of the API's, among them those that lead nowhere."""
    return request.path_info.startswith("/api/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 400."""
    return _problem(request, 400) or defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 403."""
    return _problem(request, 403) or defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 404."""
    return _problem(request, 404) or defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's 500."""
    return _problem(request, 500) or defaults.server_error(request)


def _problem(request: HttpRequest, status: int) -> HttpResponse | None:
    return Problem(status, SENTENCES[status]).response() if is_api(request) else None
