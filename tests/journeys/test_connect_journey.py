"""A tenant is connected in the browser: link, consent, callback, proof, first incidents."""

import re

import pytest
from playwright.sync_api import Page, expect

from demo.stack import Stack
from tests.journeys.portal_under_test import Sandbox
from tests.journeys.steps import approve, make_link, sign_in

pytestmark = pytest.mark.browser


def pending(sandbox: Sandbox, which: int) -> dict[str, str]:
    """A tenant of the cast in which nobody has consented."""
    return [row for row in sandbox.tenants() if "pending" in row["state"]][which]


def test_a_tenant_approved_in_the_browser_is_connected_and_shows_its_incidents(
    page: Page, stack: Stack, sandbox: Sandbox
) -> None:
    row = pending(sandbox, 0)
    sign_in(page, "admin")
    link = make_link(page, customer=row["name"], tenant=row["domain"])
    approve(page, link, stack)
    page.goto("/tenants/")
    page.get_by_role("link", name=row["name"], exact=True).click()
    expect(page.locator("#state .chip").first).to_have_text(re.compile("Connected"), timeout=60_000)
    expect(page.locator("#state")).to_contain_text("Incident.Read.All")
    page.get_by_role("link", name="Incidents of this tenant").click()
    expect(page.locator("main table tbody tr").first).to_be_visible(timeout=60_000)
    expect(page.locator("main")).to_contain_text(row["name"])


def test_a_customer_who_declines_connects_nothing_and_may_try_again(page: Page, stack: Stack, sandbox: Sandbox) -> None:
    row = pending(sandbox, 1 if len([r for r in sandbox.tenants() if "pending" in r["state"]]) > 1 else 0)
    sign_in(page, "admin")
    link = make_link(page, customer=row["name"], tenant=row["id"])
    page.goto(link)
    page.get_by_role("link", name="Continue to Microsoft").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="Nothing was connected")).to_be_visible()
    page.goto(link)
    expect(page.get_by_role("link", name="Continue to Microsoft")).to_be_visible()


def test_a_link_that_was_used_says_so(page: Page, stack: Stack, sandbox: Sandbox) -> None:
    row = next(row for row in sandbox.tenants() if row["state"] == "connected")
    sign_in(page, "admin")
    link = make_link(page, customer=row["name"], tenant=row["id"])
    approve(page, link, stack)
    page.goto(link)
    expect(page.get_by_role("heading", name="This link has been used")).to_be_visible()
