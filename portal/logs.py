"""Logs: one JSON object a line in production, readable lines on a terminal; request id and tenant by context.

Values are structured fields, never pasted into the sentence, so hostile text cannot forge a line. Bodies, tokens and
credentials are never logged.
"""

import json
import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

import structlog
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse

log = structlog.get_logger("portal.request")

# Ours: characters of a value that JSON cannot hold.
LONGEST = 2_000

# What must not reach a log whoever wrote the line, Django's own "Not Found: /connect/…" among them: secrets of connect
# links, OAuth states, and tokens. The request line below leaves them out by itself; this is the lock behind it.
# They look at the line as it is written: after JSON has escaped it, a line break is a backslash and an n, and a value
# ends at a backslash as well as at a quote, or the line would no longer be JSON.
_START = r"(?:\b|(?<=\\[nrtbf]))"
_SECRETS = (
    (re.compile(r"/connect/[A-Za-z0-9_-]{20,}"), "/connect/[hidden]"),
    (
        re.compile(
            _START + r"(state|code|code_verifier|id_token|client_secret|client_assertion|access_token)=[^&\s\"'\\]+"
        ),
        r"\1=[hidden]",
    ),
    # An API token, whose first word is the same for all of them (api/tokens.py).
    (re.compile(r"portal_[A-Za-z0-9_-]{43}"), "[hidden]"),
    (re.compile(_START + r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)?"), "[hidden]"),
)
# Gunicorn writes a header as {name}i or {name}o and a value of the environment as {name}e.
_NEVER_TOLD = re.compile(r"cookie|authorization|\}e$", re.IGNORECASE)
# Loggers whose records carry the address that was asked for, or the request itself. Gunicorn's have their own handlers.
_NAMES_ADDRESSES = ("gunicorn.error", "gunicorn.access", "django.request", "django.security.csrf")


def configure(options: dict[str, Any]) -> None:
    """Called by Django with settings.LOGGING: {"level": …, "format": "json" | "console"}."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    as_json = options["format"] == "json"
    renderer: Any = (
        structlog.processors.JSONRenderer(serializer=one_line)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=False)
    )
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
    for noisy in ("urllib3", "msal", "azure", "kombu", "amqp", "django.utils.autoreload"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It announces each of its retries with a warning; what they come to is logged by whoever made the call.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def one_line(fields: dict[str, Any], **options: Any) -> str:
    """The fields as one line of ASCII JSON whatever is in them; what JSON has no form for comes as its ``repr``."""
    try:
        return json.dumps(fields, allow_nan=False, **options)
    except (TypeError, ValueError, RecursionError):
        return json.dumps({str(name): repr(value)[:LONGEST] for name, value in fields.items()})


def quiet_records() -> None:
    """Called when Django is ready and knows every kind of suspicious request, each of which has a logger of its own."""
    import django.contrib.sessions.exceptions  # noqa: F401  loaded late otherwise, and its kinds with it

    kinds: list[type[Exception]] = [SuspiciousOperation, *SuspiciousOperation.__subclasses__()]
    for name in (*_NAMES_ADDRESSES, *(f"django.security.{kind.__name__}" for kind in kinds)):
        logging.getLogger(name).addFilter(QuietRecords())


def hide_secrets(logger: Any, method: str, rendered: Any) -> str:
    """The last step before a line is written: the rendered text without anything that looks like a secret."""
    return hidden(str(rendered))


def hidden(text: str) -> str:
    """The text without anything that looks like a secret."""
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


class QuietRecords(logging.Filter):
    """Takes secrets out of the record itself, for handlers that write it in another way than ours, or send it away."""

    def filter(self, record: logging.LogRecord) -> bool:
        """The record goes on, without the request and without what looks like a secret in its texts."""
        if isinstance(record.args, tuple):
            record.args = tuple(hidden(part) if isinstance(part, str) else part for part in record.args)
        elif isinstance(record.args, dict):  # gunicorn's access log; its kind of dict has a dash for what is missing
            record.args = type(record.args)(_told(record.args))
        if isinstance(record.msg, str):
            record.msg = hidden(record.msg)
        vars(record).pop("request", None)
        return True


def _told(said: dict[str, Any]) -> dict[str, Any]:
    """What an access log may say of a request: nothing of its environment, no cookie, no password."""
    kept = {name: value for name, value in said.items() if not _NEVER_TOLD.search(name)}
    return {name: hidden(value) if isinstance(value, str) else value for name, value in kept.items()}


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
    """The path with the secret of a connect link taken out, and what looks like any other secret."""
    return "/connect/…/" if path.startswith("/connect/") else hidden(path)
