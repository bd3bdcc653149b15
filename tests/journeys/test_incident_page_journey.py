"""One incident as an analyst reads it: everything that the decision needs is on its page."""

import pytest
from playwright.sync_api import Browser, Page

from demo.stack import Stack
from tests.journeys.conftest import watched
from tests.journeys.portal_under_test import eventually
from tests.journeys.screens import SCREENS, assert_accessible, assert_fits
from tests.journeys.steps import sign_in

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", params=SCREENS)
def reader(request: pytest.FixtureRequest, browser: Browser, stack: Stack) -> object:
    """Somebody who reads every tenant, on one kind of screen, at an incident of many alerts."""
    scheme, width = SCREENS[request.param]
    context = browser.new_context(
        base_url=stack.url,
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
        permissions=["clipboard-write"],
    )
    pages = watched(context)
    page = next(pages)
    sign_in(page, "admin")
    eventually(lambda: arrived(page), seconds=90, every=1)
    page.goto(str(page.locator("main table tbody [data-open]").first.get_attribute("href")))
    yield page
    next(pages, None)
    context.close()


def arrived(page: Page) -> bool:
    """Whether the queue holds an attack in many steps."""
    page.goto("/incidents/?status=all&q=ransomware+multiple+endpoints")
    return page.locator("main table tbody [data-open]").count() > 0


def test_everything_that_a_decision_needs_is_there(reader: Page) -> None:
    for title in ("Attack story", "Alerts", "Evidence", "Related and seen elsewhere", "Comments", "History"):
        assert reader.get_by_role("heading", name=title, exact=True).is_visible()
    reader.locator(".sightings").wait_for()
    assert reader.locator(".story .moment").count() >= 5
    assert reader.locator(".process-tree li li").count() >= 1
    reader.locator("#timeline > li summary").first.click()
    reader.locator("#timeline .evidence-kind").first.wait_for()
    copy = reader.locator("[data-copy-value]").first
    copy.click()
    reader.get_by_text("Copied", exact=True).first.wait_for()


def test_it_is_accessible_and_fits_the_screen_with_everything_open(reader: Page) -> None:
    more = reader.locator("main button[hx-get]").filter(has_not_text="JSON", visible=True)
    while more.count():
        before = more.count()
        more.first.click()
        eventually(lambda: more.count() < before, seconds=20)  # noqa: B023  asked before the next turn
    assert_accessible(reader)
    assert_fits(reader)
