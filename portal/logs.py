"""Logs: one JSON object a line in production, readable lines on a terminal; request id and tenant by context.

Values are structured fields, never pasted into the sentence, so hostile text cannot forge a line. Bodies, tokens and
credentials are never logged.
"""

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse

log = structlog.get_logger("portal.request")

# What must not reach a log whoever wrote the line, Django's own "Not Found: /connect/…" among them: secrets of connect
# links, OAuth states, and tokens. The request line below leaves them out by itself; this is the lock behind it.
_SECRETS = (
    (re.compile(r"/connect/[A-Za-z0-9_-]{20,}"), "/connect/[hidden]"),
    (re.compile(r"\b(state|code|client_secret|client_assertion|access_token)=[^&\s\"']+"), r"\1=[hidden]"),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)?"), "[hidden]"),
)


def configure(options: dict[str, Any]) -> None:
    """Called by Django with settings.LOGGING: {"level": …, "format": "json" | "console"}."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    as_json = options["format"] == "json"
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            renderer,
            hide_secrets,
        ],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=options["level"], handlers=[handler], force=True)
    for noisy in ("urllib3", "msal", "kombu", "amqp", "django.utils.autoreload"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It announces each of its retries with a warning; what they come to is logged by whoever made the call.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def hide_secrets(logger: Any, method: str, rendered: Any) -> str:
    """The last step before a line is written: the rendered text without anything that looks like a secret."""
    line = str(rendered)
    for pattern, shown in _SECRETS:
        line = pattern.sub(shown, line)
    return line


class RequestLogMiddleware:
    """Gives each request an id, binds it to every line logged meanwhile, and logs one line at its end."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """The path is logged without its query: the consent callback carries a state there."""
        request_id = uuid.uuid4().hex[:16]
        request.request_id = request_id  # type: ignore[attr-defined]
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.monotonic()
        try:
            response = self.get_response(request)
        finally:
            structlog.contextvars.unbind_contextvars("request_id")
        response.headers["X-Request-ID"] = request_id
        if not request.path.startswith("/static/"):
            log.info(
                "request",
                request_id=request_id,
                method=request.method,
                path=shown_path(request.path),
                status=response.status_code,
                ms=round((time.monotonic() - started) * 1000),
            )
        return response


def shown_path(path: str) -> str:
    """The path with the secret of a connect link taken out."""
    return "/connect/…/" if path.startswith("/connect/") else path
