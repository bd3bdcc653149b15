"""K1: an error report says where it happened and never with which values, on a page, in a mail, in any handler."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone
from django.utils.log import AdminEmailHandler
from django.views.debug import technical_500_response
from pytest_django import Settings

from audit.record import COMMAND_LINE
from tenants import consent, links, scope
from tests.canaries.canaries import Canaries
from tests.canaries.listening import described
from tests.canaries.scanner import Sink, search
from tests.cast import PASSWORD, make_person
from tests.tenants.arranged import invited

# The table that is away, so that the page fails at the moment at which it has the secret in its hands.
AWAY = {"sign-in": "accounts_user", "link": "tenants_consentrequest", "callback": "tenants_consentrequest"}


class Kept(logging.Handler):
    """What any handler would get."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep all of it."""
        self.said.append(described(record) + self.format(record))


@pytest.fixture
def handlers(settings: Settings) -> Iterator[Kept]:
    """A handler that mails reports, one that keeps records, and people who get the mails."""
    settings.ADMINS = [("Operations", "ops@example.com")]
    loggers, kept = (logging.getLogger(), logging.getLogger("django.request")), Kept()
    mailing = AdminEmailHandler(include_html=True)
    loggers[0].addHandler(kept)
    loggers[1].addHandler(mailing)
    yield kept
    loggers[0].removeHandler(kept)
    loggers[1].removeHandler(mailing)


@pytest.fixture
def canaries(db: None) -> Canaries:
    """Secrets of a link that is open, and of a person who signs in."""
    found = Canaries()
    make_person("admin", is_staff=True)
    with scope.operations():
        link = consent.invite(tenant=invited(), by=COMMAND_LINE, now=timezone.now()).link
    found.add("connect link", link.rstrip("/").rpartition("/")[2])
    found.add("consent state", links.state_of(found.values["connect link"][0].decode()))
    found.add("password", PASSWORD)
    return found


def visit(browser: Client, page: str, canaries: Canaries) -> HttpResponse:
    """Whoever uses one of the three doors."""
    secret = canaries.values["connect link"][0].decode()
    state = canaries.values["consent state"][0].decode()
    visits: dict[str, Callable[[], Any]] = {
        "sign-in": lambda: browser.post("/sign-in/", {"username": "admin", "password": PASSWORD}),
        "link": lambda: browser.get(f"/connect/{secret}/"),
        "callback": lambda: browser.get("/consent/callback/", {"state": state, "admin_consent": "True"}),
    }
    answer: HttpResponse = visits[page]()
    return answer


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("page", AWAY)
def test_k1_no_report_of_a_failing_page_says_a_secret(
    canaries: Canaries, handlers: Kept, settings: Settings, page: str, debug: bool
) -> None:
    settings.DEBUG = debug
    browser = Client(raise_request_exception=False)
    browser.cookies["connect"] = links.cookie_of(canaries.values["connect link"][0].decode())
    canaries.add("browser cookie", browser.cookies["connect"].value)
    with connection.cursor() as cursor:
        cursor.execute(f"SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE {AWAY[page]} RENAME TO away")
    answer = visit(browser, page, canaries)
    assert answer.status_code == 500
    sinks = [Sink("page", answer.content), Sink("records", "\n".join(handlers.said).encode()), mails()]
    assert search(sinks, canaries).findings == []
    assert all(b"UndefinedTable" in sink.data for sink in sinks[1:] + sinks[:debug])


def mails() -> Sink:
    """Everything that was mailed, with its page."""
    sent = [one for one in mail.outbox if isinstance(one, EmailMultiAlternatives)]
    assert sent
    return Sink("mails", b"\n".join(one.message().as_bytes() + str(one.alternatives).encode() for one in sent))


def test_a_report_says_where_it_happened_and_nothing_of_what_was_at_hand(rf: RequestFactory) -> None:
    canaries = Canaries()
    password = canaries.plant("password")
    asked = rf.post("/sign-in/", {"password": password}, headers={"Cookie": f"session={password}"})
    pages = []
    for accepted in ("text/html", "text/plain"):
        asked.META["HTTP_ACCEPT"] = accepted
        try:
            raise LookupError("nobody is called so")
        except LookupError as error:
            pages.append(technical_500_response(asked, type(error), error, error.__traceback__))
    for page in pages:
        assert b"nobody is called so" in page.content
        assert b"test_error_reports" in page.content
        assert search([Sink("page", page.content)], canaries).findings == []


def test_the_search_would_find_what_a_report_of_djangos_own_says(canaries: Canaries, settings: Settings) -> None:
    settings.DEFAULT_EXCEPTION_REPORTER = "django.views.debug.ExceptionReporter"
    settings.DEBUG = True
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE tenants_consentrequest RENAME TO away")
    answer = visit(Client(raise_request_exception=False), "link", canaries)
    assert search([Sink("page", answer.content)], canaries).findings
