"""Every page, as a person meets it: readable for all, in light and dark, on a narrow screen, without a complaint."""

import itertools

import pytest
from playwright.sync_api import Browser, Page

from demo.stack import Stack
from tests.journeys.conftest import watched
from tests.journeys.portal_under_test import Sandbox, eventually
from tests.journeys.screens import SCREENS, Scheme, assert_accessible, assert_fits
from tests.journeys.steps import make_link, sign_in
from tests.journeys.test_live_journey import exported

pytestmark = pytest.mark.browser

PAGES = {
    "queue": "/incidents/",
    "an empty queue": "/incidents/?words=nothing-like-this-anywhere",
    "the overview": "/incidents/overview/?days=7",
    "tenants": "/tenants/",
    "a tenant": "/tenants/contoso/",
    "a tenant in review": "/tenants/humongous-insurance/",
    "a tenant nobody has consented in": "/tenants/coho-vineyard/",
    "connect a tenant": "/tenants/connect/",
    "API tokens": "/tokens/",
    "a new API token": "/tokens/new/",
    "nothing there": "/tenants/no-such-tenant/",
    "admin": "/admin/",
    "tenants in the admin": "/admin/tenants/tenant/",
    "incidents in the admin": "/admin/incidents/incident/",
}
# Django's own admin markup; its pages are held to loading cleanly, not to our accessibility.
OURS = [name for name in PAGES if "admin" not in name]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


@pytest.fixture(scope="module", params=SCREENS)
def signed_in(request: pytest.FixtureRequest, browser: Browser, stack: Stack) -> object:
    """Staff on one kind of screen."""
    scheme, width = SCREENS[request.param]
    context = browser.new_context(
        base_url=stack.url,
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
    )
    pages = watched(context)
    page = next(pages)
    sign_in(page, "admin")
    yield page
    next(pages, None)
    context.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_fits_the_screen(signed_in: Page, name: str) -> None:
    signed_in.goto(PAGES[name])
    if name in OURS:
        assert_accessible(signed_in)
        assert_fits(signed_in)


def test_an_incident_is_accessible_and_fits_the_screen(signed_in: Page, stack: Stack, sandbox: Sandbox) -> None:
    """One with several alerts, whichever incident is the newest: other journeys make small ones."""
    contoso = next(row for row in sandbox.tenants() if row["name"] == "Contoso")
    rows = eventually(lambda: exported(stack, str(contoso["id"])), seconds=90, every=1)
    number = next(row["incident_id"] for row in rows if len(row["alerts"]) >= 3)
    signed_in.goto(f"/incidents/contoso/{number}/")
    alerts = signed_in.locator("#timeline > li > details > summary")
    assert alerts.count() >= 3
    for place in range(3):
        alerts.nth(place).click()
    signed_in.locator(".sightings").wait_for()
    signed_in.locator("details[open] .alert-evidence p:not(.muted), details[open] .evidence-kind").first.wait_for()
    assert_accessible(signed_in)
    assert_fits(signed_in)


def test_a_token_is_made_with_what_a_person_clicks_and_its_page_is_accessible(signed_in: Page) -> None:
    signed_in.goto("/tokens/new/")
    signed_in.get_by_label("Name").fill("A reader")
    signed_in.get_by_label("For every tenant that I may see, also later ones").check()
    signed_in.get_by_role("button", name="Make the token").click()
    value = signed_in.get_by_label("Value of the token").input_value()
    assert_accessible(signed_in)
    assert_fits(signed_in)
    asked = signed_in.request.get("/api/v1/tenants/", headers={"Authorization": f"Bearer {value}"})
    assert asked.status == 403  # for reading incidents alone
    asked = signed_in.request.get("/api/v1/incidents/?limit=1", headers={"Authorization": f"Bearer {value}"})
    assert asked.status == 200
    signed_in.goto("/tokens/")
    assert_accessible(signed_in)
    assert_fits(signed_in)
    signed_in.get_by_role("button", name="Revoke A reader").first.click()
    signed_in.get_by_text("The token is revoked").wait_for()


def test_the_customers_pages_are_accessible_and_fit_the_screen(signed_in: Page, sandbox: Sandbox) -> None:
    row = next(row for row in sandbox.tenants() if row["state"] == "connected")
    signed_in.set_viewport_size({"width": 320, "height": 800})
    link = make_link(signed_in, customer=row["name"], tenant=row["id"])
    assert_accessible(signed_in)
    for url in (link, "/consent/callback/?state=unknown", "/connect/unknown/"):
        signed_in.goto(url)
        assert_accessible(signed_in)
        assert_fits(signed_in)


def test_signing_in_is_accessible(browser: Browser, stack: Stack) -> None:
    for scheme, width in itertools.product(SCHEMES, (320, 1400)):
        context = browser.new_context(base_url=stack.url, color_scheme=scheme, viewport={"width": width, "height": 700})
        page = context.new_page()
        page.goto("/sign-in/")
        assert_accessible(page)
        assert_fits(page)
        context.close()
