"""One portal and one browser for all journeys."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from demo.stack import Stack
from tests.journeys.portal_under_test import Sandbox, running_portal
from tests.journeys.screens import CONTRASTS, SCREENS
from tests.journeys.steps import sign_in


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


@pytest.fixture(scope="module", params=[*SCREENS, *CONTRASTS])
def screen(request: pytest.FixtureRequest, browser: Browser, stack: Stack) -> Iterator[Page]:
    """Alice on one kind of screen."""
    scheme, width = SCREENS.get(request.param, ("dark" if "dark" in request.param else "light", 1400))
    contrast: Any = "more" if "contrast" in request.param else "no-preference"
    context = browser.new_context(
        base_url=stack.url, color_scheme=scheme, contrast=contrast, viewport={"width": width, "height": 900}
    )
    pages = watched(context)
    page = next(pages)
    sign_in(page, "alice")
    yield page
    next(pages, None)
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
