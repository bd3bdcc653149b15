"""K1: what a log record carries is free of secrets before any handler sees it, whoever made it."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.exceptions import SuspiciousOperation
from django.test import Client, RequestFactory
from gunicorn.glogging import SafeAtoms

from tests.canaries.listening import described

LINK = "/connect/Zm9yLXRlc3RzLW9ubHktbm90LWEtcmVhbC1saW5rLTAwMDE/"
COOKIES = "session=abcdefghijklmnopqrstuvwxyz012345; csrf=ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


class Kept(logging.Handler):
    """A handler that somebody might add: it gets records, not lines."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.records.append(record)


@pytest.fixture(params=["django.request", "django.security.csrf", "django.security.DisallowedHost", "gunicorn.access"])
def logger(request: pytest.FixtureRequest) -> logging.Logger:
    """One of the loggers that say which address was asked for."""
    return logging.getLogger(request.param)


@pytest.fixture
def kept() -> Iterator[Kept]:
    """The handler, beside ours."""
    handler = Kept()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


def test_the_address_in_a_record_has_no_secret_and_no_request_beside_it(
    logger: logging.Logger, kept: Kept, rf: RequestFactory
) -> None:
    logger.addHandler(kept)
    logger.warning("%s: %s", "Gone", LINK, extra={"request": rf.get(LINK)})
    logger.removeHandler(kept)
    assert kept.records
    for record in kept.records:
        assert LINK not in described(record)
        assert record.getMessage() == "Gone: /connect/[hidden]/"


def test_an_access_log_may_say_what_was_asked_and_never_with_which_cookies(kept: Kept) -> None:
    said: dict[str, Any] = {"r": f"GET {LINK}?state=0123456789abcdef&x=1 HTTP/1.1", "s": "200", "b": 12}
    said |= {
        "{cookie}i": COOKIES,
        "{set-cookie}o": COOKIES,
        "{csrf_cookie}e": COOKIES,
        "{authorization}i": "Basic eDp5",
    }
    said |= {"{x-request-id}o": "f00", "{http_cookie}e": COOKIES}
    logger = logging.getLogger("gunicorn.access")
    logger.addHandler(kept)
    logger.warning('"%(r)s" %(s)s %(b)s %({x-request-id}o)s %({cookie}i)s', SafeAtoms(said))
    logger.removeHandler(kept)
    record = kept.records[0]
    assert record.getMessage() == '"GET /connect/[hidden]/?state=[hidden]&x=1 HTTP/1.1" 200 12 f00 -'
    assert "abcdefghij" not in described(record) and "eDp5" not in described(record)


def test_a_page_that_is_not_there_is_logged_without_what_could_be_a_link(client: Client, kept: Kept, db: None) -> None:
    assert client.get(LINK).status_code == 404
    assert any(record.name == "django.request" for record in kept.records)
    assert all(LINK not in described(record) for record in kept.records)


def test_every_kind_of_suspicious_request_is_covered() -> None:
    kinds: list[type[Exception]] = [SuspiciousOperation, *SuspiciousOperation.__subclasses__()]
    for kind in kinds:
        assert logging.getLogger(f"django.security.{kind.__name__}").filters, kind
