"""What holds for every answer and every request: headers, the client's address, and text that hides nothing."""

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

PERMISSIONS_POLICY = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
# In UTF-8: control characters but tab and line feeds, C1 controls, marks and overrides of direction, separators of
# lines, the byte order mark and tag characters. None has a place in a page of the portal.
_HIDDEN = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]|\xd8\x9c|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa0-\xaf]"
    rb"|\xef\xbb\xbf|\xf3\xa0[\x80\x81][\x80-\xbf]"
)
_CHARSET = re.compile(r";\s*charset[^;]*", re.IGNORECASE)

Handler = Callable[[HttpRequest], HttpResponse]


class HeadersMiddleware:
    """Signed-in pages are never stored by browsers or proxies; devices of the browser stay closed."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add the headers unless the view has set its own."""
        response = self.get_response(request)
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        if not request.path.startswith("/static/"):
            response.headers.setdefault("Cache-Control", "no-store")
        return response


class ClientAddressMiddleware:
    """REMOTE_ADDR becomes the client's address where a proxy of ours stands in front; otherwise nothing is believed.

    Each proxy appends the address it was called from, so only the last entry is our proxy's word; what stands before it
    the client may have written.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Replace the address before anybody reads it."""
        if settings.TRUST_PROXY:
            request.META["REMOTE_ADDR"] = client_address(request)
        return self.get_response(request)


def client_address(request: HttpRequest) -> str:
    """The last entry of X-Forwarded-For where it is an address, else who called us."""
    last = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(last))
    except ValueError:
        return str(request.META.get("REMOTE_ADDR", ""))


def in_utf_8(application: "WSGIApplication") -> "WSGIApplication":
    """The application, for which every text is in UTF-8, as browsers send ours back.

    Otherwise whoever asks chooses among Python's decoders, of which some raise before the first middleware is reached.
    """

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        said = str(environ.get("CONTENT_TYPE", ""))
        return application({**environ, "CONTENT_TYPE": _CHARSET.sub(";charset=utf-8", said)}, start_response)

    return answer


class StorableCookiesMiddleware:
    """A NUL, which no browser sends in a cookie and PostgreSQL stores in no text, is refused before anybody looks."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Written as an octal number between quotes it gets past the web server."""
        if any("\x00" in text for text in request.COOKIES.values()):
            raise BadRequest("A cookie that cannot be stored.")
        return self.get_response(request)


class VisibleTextMiddleware:
    """The last lock against text that hides: whatever page prints it, a hidden character is shown as its code."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Only pages: files to take along stay as they are."""
        response = self.get_response(request)
        if not response.streaming and response.get("Content-Type", "").startswith("text/html"):
            visible = _HIDDEN.sub(_shown, response.content)
            if visible != response.content:
                response.content = visible
                if "Content-Length" in response.headers:
                    response.headers["Content-Length"] = str(len(visible))
        return response


def _shown(found: re.Match[bytes]) -> bytes:
    return f"⟨U+{ord(found[0].decode()):04X}⟩".encode()
