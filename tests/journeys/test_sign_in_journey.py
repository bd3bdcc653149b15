"""People sign in through the home tenant in a real browser, under the portal's own content policy."""

import pytest
from playwright.sync_api import Page, Route, expect

from demo.stack import Stack
from tests.journeys.portal_under_test import eventually
from tests.journeys.screens import assert_accessible, assert_fits
from tests.journeys.steps import person_named, sign_in, sign_in_without_microsoft

pytestmark = pytest.mark.browser


def test_alice_signs_in_with_microsoft_and_sees_her_own_tenants(page: Page, stack: Stack) -> None:
    page.goto("/tenants/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_role("button", name="Sign in with Microsoft").click()
    page.wait_for_url(f"{stack.sandbox_url}/**")
    assert_accessible(page)
    page.get_by_role("button", name="as Alice").click()
    page.wait_for_url(f"{stack.url}/tenants/")
    expect(page.locator("main")).to_contain_text("Contoso")
    expect(page.locator("main")).not_to_contain_text("Northwind")


@pytest.mark.parametrize(("who", "says"), [("erin", "Portal.Access"), ("gus", "Guest accounts")])
def test_whoever_may_not_come_in_is_told_why(page: Page, who: str, says: str) -> None:
    page.goto("/sign-in/")
    page.get_by_role("button", name="Sign in with Microsoft").click()
    page.get_by_role("button", name=f"as {person_named(who).name}").click()
    expect(page.get_by_role("alert")).to_contain_text(says)
    assert_accessible(page)
    assert_fits(page)
    page.goto("/incidents/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_whoever_cancels_may_start_again(page: Page) -> None:
    page.goto("/sign-in/")
    page.get_by_role("button", name="Sign in with Microsoft").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("did not finish")
    page.get_by_role("link", name="Start again").click()
    expect(page.get_by_role("button", name="Sign in with Microsoft")).to_be_visible()


def test_after_signing_out_nobody_is_signed_in_silently(page: Page) -> None:
    sign_in(page, "bob")
    page.context.clear_cookies(name="session")
    page.goto("/incidents/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(page, "charlie")
    expect(page.locator("header")).to_contain_text("Charlie")


def test_the_emergency_account_comes_in_without_microsoft(page: Page) -> None:
    sign_in_without_microsoft(page)
    expect(page.get_by_role("link", name="Administration")).to_be_visible()


@pytest.mark.parametrize("answers", ["the portal", "nobody"])
def test_a_page_whose_session_has_ended_leaves_the_screen(page: Page, answers: str) -> None:
    page.clock.install()
    sign_in(page, "alice")
    page.goto("/tenants/")
    expect(page.locator("main")).to_contain_text("Contoso")
    page.clock.fast_forward("01:00")
    expect(page.locator("main")).to_contain_text("Contoso")
    if answers == "the portal":
        page.context.clear_cookies(name="session")
        page.clock.fast_forward("01:00")
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    else:
        page.route("**/sessions/", lambda route: route.abort())
        page.clock.fast_forward("20:00")
        expect(page.locator("main")).to_contain_text("Contoso")
        page.clock.fast_forward("12:00")
        expect(page.locator("main")).to_have_text("The portal has not answered for a long time. Reload this page.")


def test_an_answer_that_comes_late_is_no_sign_of_life_now(page: Page) -> None:
    page.clock.install()
    sign_in(page, "alice")
    page.goto("/tenants/")
    held: list[Route] = []
    page.route("**/sessions/", lambda route: route.abort() if held else held.append(route))
    page.clock.fast_forward("01:00")
    eventually(lambda: page.evaluate("1") and held, seconds=10)
    page.clock.fast_forward("20:00")
    held[0].fulfill(status=200)
    page.wait_for_timeout(200)
    page.clock.fast_forward("12:00")
    expect(page.locator("main")).to_have_text("The portal has not answered for a long time. Reload this page.")
