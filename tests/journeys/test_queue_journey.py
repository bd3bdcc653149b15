"""An open queue: what is new waits while somebody is at a row, menus answer, a view is kept under its address."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from demo.stack import Stack
from tests.journeys.portal_under_test import Sandbox, eventually
from tests.journeys.steps import sign_in
from tests.journeys.test_live_journey import ONE_CYCLE, exported, sound

pytestmark = pytest.mark.browser


def top_of(row: Locator) -> float:
    box = row.bounding_box()
    assert box is not None
    return box["y"]


def make(sandbox: Sandbox, stack: Stack, name: str) -> None:
    row = sound(sandbox)[0]
    eventually(lambda: exported(stack, str(row["id"])), seconds=90, every=1)
    sandbox.post(f"tenants/{row['id']}/incidents", {"incidentName": name})


def test_what_is_new_waits_while_somebody_is_at_a_row(page: Page, stack: Stack, sandbox: Sandbox) -> None:
    make(sandbox, stack, "Before the row")
    sign_in(page, "admin")
    page.goto("/incidents/?status=open")
    expect(page.locator("main")).to_contain_text("Before the row", timeout=ONE_CYCLE)
    row = page.locator("#queue [data-row]").nth(2)
    held = page.locator(f"#{row.get_attribute('id')}")
    held.locator("[data-open]").focus()
    before = top_of(held)
    make(sandbox, stack, "While somebody reads")
    bar = page.locator("[data-arrivals]")
    expect(bar).to_be_visible(timeout=ONE_CYCLE)
    expect(bar).to_contain_text("new")
    assert top_of(held) == before
    expect(held.locator("[data-open]")).to_be_focused()
    expect(page.locator("#queue table")).not_to_contain_text("While somebody reads")
    bar.click()
    expect(page.locator("#queue table")).to_contain_text("While somebody reads")
    expect(bar).to_be_hidden()
    expect(page.locator("#queue tr.is-new").first).to_be_visible()


def test_what_waits_comes_by_itself_once_nobody_is_at_a_row(page: Page, stack: Stack, sandbox: Sandbox) -> None:
    sign_in(page, "admin")
    page.goto("/incidents/?status=open")
    page.locator("#queue [data-row]").nth(1).hover()
    make(sandbox, stack, "Seen later")
    expect(page.locator("[data-arrivals]")).to_be_visible(timeout=ONE_CYCLE)
    page.mouse.move(0, 0)
    expect(page.locator("#queue table")).to_contain_text("Seen later", timeout=ONE_CYCLE)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 1400), ("light", 320)])
def test_menus_are_accessible_and_fit_the_screen(page: Page, scheme: str, width: int) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 900})
    sign_in(page, "admin")
    page.goto("/incidents/?status=open&q=203.0.113.5+%231&newer=7d")
    for menu, waits_for in (
        ("more", "Tenant, status, severity"),
        ("freshness", "current"),
        ("views", "Save"),
        ("columns", "Tags"),
    ):
        page.locator(f"#{menu} > summary").click()
        expect(page.locator(f"#{menu}")).to_contain_text(waits_for)
        results = Axe().run(page)
        assert results.violations_count == 0, results.generate_report()
        inner, outer = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert inner <= outer, menu
        page.keyboard.press("Escape")


def test_a_view_is_kept_and_opened_again_by_its_address(page: Page) -> None:
    sign_in(page, "admin")
    page.goto("/incidents/?status=open")
    page.locator("#filters .toggles label", has_text="High").click()
    expect(page).to_have_url("/incidents/?severity=high")
    page.locator("#views > summary").click()
    page.get_by_label("Save these filters as").fill("Highs of all")
    page.get_by_role("button", name="Save as a new view").click()
    expect(page.locator("#views > summary")).to_contain_text("Highs of all")
    address = page.url
    page.goto("/incidents/?status=open")
    page.goto(address)
    expect(page.locator("#queue .chips")).to_contain_text("Severity: High")
    page.locator("#views > summary").click()
    page.get_by_role("button", name="Remove this view").click()
    expect(page.locator("main")).to_contain_text("The view is removed")
