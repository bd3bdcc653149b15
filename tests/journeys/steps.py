"""What people do, in words that several journeys share."""

from playwright.sync_api import Page

from demo.cast import PASSWORD
from demo.stack import Stack


def sign_in(page: Page, username: str) -> None:
    """Sign in with the demo's password."""
    page.goto("/sign-in/")
    page.fill("input[name=username]", username)
    page.fill("input[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/incidents/**")


def make_link(page: Page, *, customer: str, tenant: str) -> str:
    """As staff: name a tenant and take the link along."""
    page.goto("/tenants/connect/")
    page.fill("input[name=customer]", customer)
    page.fill("input[name=tenant]", tenant)
    page.get_by_role("button", name="Make the connect link").click()
    return page.locator("#link").input_value()


def approve(page: Page, link: str, stack: Stack) -> None:
    """As the customer's administrator: open the link, consent at the sandbox, confirm."""
    page.goto(link)
    page.get_by_role("link", name="Continue to Microsoft").click()
    page.wait_for_url(f"{stack.sandbox_url}/**")
    page.get_by_role("button", name="Accept").click()
    page.wait_for_url("**/consent/callback/**")
    page.get_by_role("button", name="Finish").click()
    page.get_by_role("heading", name="Thank you").wait_for()
