"""One portal and one browser for all journeys."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from demo.stack import Stack
from tests.journeys.portal_under_test import Sandbox, running_portal


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A whole portal, seeded with the cast, in a quiet world."""
    with running_portal(tmp_path_factory.mktemp("portal")) as running:
        yield running


@pytest.fixture(scope="package")
def sandbox(stack: Stack) -> Sandbox:
    """The cloud that the portal talks to."""
    return Sandbox(stack.sandbox_url)


@pytest.fixture
def page(browser: Browser, stack: Stack) -> Iterator[Page]:
    """A fresh browser profile at the portal; complaints of the console and CSP reports fail the test."""
    context = browser.new_context(base_url=stack.url, viewport={"width": 1400, "height": 900})
    yield from watched(context)
    context.close()


def watched(context: BrowserContext) -> Iterator[Page]:
    """A page whose errors are collected and must be none."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(f"script error: {error}"))
    page.on("console", lambda message: complaints.append(message.text) if is_complaint(message.text) else None)
    yield page
    assert complaints == []


def is_complaint(text: str) -> bool:
    """What a page must never say on the console."""
    return "Content Security Policy" in text or "Refused to" in text or "violates" in text
