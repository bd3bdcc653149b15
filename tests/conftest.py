"""Fixtures that every test may use: the migrated database, the database roles, and people as the story's cast.

Tests run on one connection that stands for all processes: it is the owner while a test arranges and asserts, the web
role while a page answers, the worker role inside ``as_worker``. The owner is not a superuser either.
"""

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import structlog
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser
from pytest_django import DjangoDbBlocker

from accounts import second_factor
from accounts.models import Visit
from tests.browser_process import chromium

# Files that take longest: they begin first, so that the other processes have something to do meanwhile.
LONG = (
    "tests/journeys/test_hostile_content_journey.py",
    "tests/isolation/test_doors.py",
    "tests/journeys/",
    "tests/crash/",
    "tests/canaries/test_sweep.py",
    "tests/embedded/test_life.py",
    "tests/tenants/test_budget.py",
    "tests/tenants/test_callback.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; within each, and among the others, the order stays random."""

    def place(item: pytest.Item) -> int:
        return next((place for place, start in enumerate(LONG) if item.nodeid.startswith(start)), len(LONG))

    items.sort(key=place)


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: DjangoDbBlocker) -> None:
    """The plugin tests.servers has made an empty database for this run; here it gets roles and tables."""
    from django.conf import settings

    from portal.database_roles import prepare

    with django_db_blocker.unblock():
        prepare(settings.DATABASES["default"])
        connection.settings_dict["OPTIONS"]["options"] = "-c role=portal_owner"
        call_command("migrate", verbosity=0)


@contextmanager
def database_role(role: str) -> Iterator[None]:
    """Run as one of the portal's database roles: owner, web, worker."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        before = cursor.fetchone()[0]
        cursor.execute(f'SET ROLE "portal_{role}"')
    try:
        yield
    finally:
        if not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute(f'SET ROLE "{before}"')


@contextmanager
def as_worker() -> Iterator[None]:
    """What a worker does is done as the worker's database role."""
    with database_role("worker"):
        yield


class WebClient(Client):
    """Django's test client, answering as the web database role."""

    def request(self, **request: Any) -> Any:
        """One request as portal_web."""
        with database_role("web"):
            return super().request(**request)

    def force_login(self, user: Any, backend: str | None = None) -> None:
        """Signed in this moment, with both factors, as the door would do it; the audit log hears nothing of it."""
        super().force_login(user, backend)
        now = timezone.now()
        visit = Visit.objects.create(user=user, how=Visit.How.LOCAL, started_at=now, seen_at=now)
        session = self.session
        session.update({"signed_in_at": int(now.timestamp()), "signed_in_how": "local", "visit": str(visit.pk)})
        session[second_factor.GIVEN] = "authenticator"
        session.save()


@pytest.fixture
def client() -> WebClient:
    """Nobody signed in."""
    return WebClient()


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Instead of ``db``: transactions really commit, in a copy of the database that is dropped afterwards."""
    from tests.databases import copied_database

    with django_db_blocker.unblock(), copied_database():
        yield


@pytest.fixture
def written_log() -> Iterator[Callable[[], str]]:
    """Everything that is logged meanwhile, as the portal's own handler writes it."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(next(ours for ours in logging.getLogger().handlers if _is_ours(ours)).formatter)
    logging.getLogger().addHandler(handler)
    try:
        yield written.getvalue
    finally:
        logging.getLogger().removeHandler(handler)


def _is_ours(handler: logging.Handler) -> bool:
    return isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter)


@pytest.fixture
def audit_fails() -> Callable[[], AbstractContextManager[None]]:
    """While the block that this opens runs, nothing can be appended to the audit log."""

    @contextmanager
    def fails() -> Iterator[None]:
        def refuse(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
            if "audit_append" in sql:
                sql = "SELECT audit_append_is_gone()"
                parameters = None
            return execute(sql, parameters, many, context)

        with connection.execute_wrapper(refuse):
            yield

    return fails


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The installed Chromium. Closed with the module: while Playwright is open, Django takes the thread for async."""
    yield from chromium()
