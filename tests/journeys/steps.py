"""What people do, in words that several journeys share."""

from playwright.sync_api import Page

from demo.cast import EMERGENCY, PASSWORD, PEOPLE, REFUSED, Person
from demo.stack import Stack


def sign_in(page: Page, user_name: str) -> None:
    """Sign in with Microsoft: the sandbox shows the people of the home tenant."""
    page.goto("/sign-in/")
    page.get_by_role("button", name="Sign in with Microsoft").click()
    page.get_by_role("button", name=f"as {person_named(user_name).name}").click()
    page.wait_for_url("**/incidents/**")


def sign_in_without_microsoft(page: Page) -> None:
    """Sign in with the demo's emergency account."""
    page.goto("/sign-in/")
    page.get_by_text("Emergency account").click()
    page.fill("input[name=username]", EMERGENCY)
    page.fill("input[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/incidents/**")


def person_named(user_name: str) -> Person:
    """Somebody of the home tenant."""
    return next(person for person in (*PEOPLE, *REFUSED) if person.user_name == user_name)


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
