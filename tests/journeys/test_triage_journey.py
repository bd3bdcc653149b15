"""An analyst's day with the keyboard alone, and what she meets on the way.

She takes an incident, reads, classifies, comments, closes, sees it stand at Microsoft and goes on. She meets a
colleague's hand, a refusal, a merge, a stale tenant and a lost consent.
"""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from demo.stack import Stack
from tests.journeys.portal_under_test import Sandbox, eventually
from tests.journeys.screens import assert_accessible, assert_fits
from tests.journeys.steps import person_named, sign_in
from tests.journeys.test_command_journey import manage
from tests.journeys.test_live_journey import exported

pytestmark = pytest.mark.browser

# One poll of the portal, one of the page, with room for a busy machine.
SOON = 30_000
TENANT = "contoso"
ALICE = person_named("alice").address


@pytest.fixture
def contoso(stack: Stack, sandbox: Sandbox) -> dict[str, Any]:
    row: dict[str, Any] = next(row for row in sandbox.tenants() if row["name"] == "Contoso")
    eventually(lambda: exported(stack, str(row["id"])), seconds=90, every=1)
    return row


def happens(sandbox: Sandbox, tenant: dict[str, Any], name: str, **fields: Any) -> int:
    """A new incident at Microsoft; its number."""
    made = {"status": "Active", "assignedTo": None, "classification": "Unknown", "determination": "NotAvailable"}
    return int(
        sandbox.post(f"tenants/{tenant['id']}/incidents", {"incidentName": name, **made, **fields})["incidentId"]
    )


def at_microsoft(sandbox: Sandbox, tenant: dict[str, Any], number: int) -> dict[str, Any]:
    rows = sandbox.get(f"tenants/{tenant['id']}/truth")["incidents"]
    raw: dict[str, Any] = next(row["raw"] for row in rows if row["raw"]["incidentId"] == number)
    return raw


def keys(page: Page, *pressed: str) -> None:
    for key in pressed:
        page.keyboard.press(key)


def go_to_row(page: Page, number: int) -> None:
    """Down the rows with j until the keyboard is in the one wanted."""
    page.locator(f"#row-{TENANT}-{number}").wait_for(timeout=SOON)
    for _ in range(60):
        page.keyboard.press("j")
        if page.evaluate("document.activeElement.id") == f"open-{TENANT}-{number}":
            return
    raise AssertionError(f"j does not lead to incident {number}")


def dialog(page: Page) -> Any:
    shown = page.locator("#triage")
    shown.wait_for()
    return shown


def tab_to(page: Page, name: str) -> None:
    """With Tab to a button, as somebody without a mouse does."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if str(page.evaluate("document.activeElement.textContent.trim()")).startswith(name):
            return
    raise AssertionError(f"Tab does not lead to {name}")


def open_incident(page: Page, number: int, query: str = "") -> None:
    """As soon as the portal knows it."""

    def opens() -> bool:
        answer = page.goto(f"/incidents/{TENANT}/{number}/{query}")
        return answer is not None and answer.status == 200

    eventually(opens, seconds=60, every=1)


def test_an_incident_is_taken_read_classified_commented_closed_and_confirmed_without_a_mouse(
    page: Page, sandbox: Sandbox, contoso: dict[str, Any]
) -> None:
    older = happens(sandbox, contoso, "Next in the row")
    number = happens(sandbox, contoso, "Taken by keyboard")
    page.goto("/sign-in/")
    tab_to(page, "Sign in with Microsoft")
    keys(page, "Enter")
    page.get_by_role("button", name="as Alice").focus()
    keys(page, "Enter")
    page.wait_for_url("**/incidents/**")
    page.goto(f"/incidents/?tenant={TENANT}")
    go_to_row(page, number)
    keys(page, "a")
    expect(page.locator("#toast")).to_contain_text("Assigned to you: 1 incident")
    row = page.locator(f"#row-{TENANT}-{number}")
    expect(row).to_contain_text(ALICE, timeout=SOON)
    expect(row).to_contain_text("on its way")
    assert page.evaluate("document.activeElement.id") == f"open-{TENANT}-{number}"
    keys(page, "Enter")
    page.get_by_role("heading", name="Taken by keyboard").wait_for()

    keys(page, "v")
    expect(dialog(page)).to_contain_text("What will change")
    expect(page.locator("#verdict")).to_be_focused()
    page.keyboard.type("False positive: Not mal")
    keys(page, "Control+Enter")
    expect(page.locator("#toast")).to_contain_text("Classified: 1 incident")
    expect(page.locator("#triage")).to_be_hidden()
    keys(page, "c")
    expect(page.locator("#comment")).to_be_focused()
    page.keyboard.type("Known scanner of the customer's.")
    keys(page, "Control+Enter")
    expect(page.locator("#toast")).to_contain_text("Commented: 1 incident")
    keys(page, "r")
    expect(page.locator("#verdict")).to_be_focused()
    keys(page, "Control+Enter")
    expect(page.locator("#toast")).to_contain_text("Resolved: 1 incident")
    expect(page.locator("#strip")).to_contain_text("Resolved on its way")
    expect(page.locator("#toast")).to_contain_text("1 of 1 stand at Microsoft", timeout=SOON)
    raw = at_microsoft(sandbox, contoso, number)
    assert (raw["assignedTo"], raw["status"]) == (ALICE, "Resolved")
    assert (raw["classification"], raw["determination"]) == ("FalsePositive", "Clean")
    comments = [one["comment"] for one in raw["comments"]]
    assert [text.startswith("Known scanner of the customer's.") for text in comments] == [True]
    expect(page.locator("#strip")).not_to_contain_text("on its way", timeout=SOON)
    keys(page, "n")  # to the older one, or to what the sandbox's life has put before it meanwhile
    page.wait_for_url(re.compile(rf"/incidents/{TENANT}/(?!{number}/)\d+/\?tenant={TENANT}$"))
    assert number != older


def test_many_are_taken_at_once_and_given_back_with_one_key(
    page: Page, sandbox: Sandbox, contoso: dict[str, Any]
) -> None:
    numbers = [happens(sandbox, contoso, f"One of three, {n}") for n in range(3)]
    sign_in(page, "alice")
    page.goto(f"/incidents/?tenant={TENANT}")
    for number in numbers:
        page.locator(f"#row-{TENANT}-{number}").wait_for(timeout=SOON)
    go_to_row(page, numbers[-1])
    keys(page, "x", "Shift+J", "Shift+J")
    expect(page.locator("#selected")).to_have_text("3 selected")
    keys(page, "a")
    expect(page.locator("#toast")).to_contain_text("Assigned to you: 3 incidents")
    keys(page, "u")
    expect(page.locator("#toast")).to_contain_text("Taken back: 3 changes")
    keys(page, "g", "m")
    page.wait_for_url("**/incidents/my-changes/")
    expect(page.locator("#changes")).to_contain_text("Cancelled")
    assert {at_microsoft(sandbox, contoso, number)["assignedTo"] for number in numbers} == {None}


def test_a_colleagues_hand_is_shown_with_both_values_and_nothing_is_overwritten(
    page: Page, sandbox: Sandbox, contoso: dict[str, Any]
) -> None:
    number = happens(sandbox, contoso, "Two at once")
    sign_in(page, "alice")
    open_incident(page, number)
    keys(page, "s")
    expect(dialog(page)).to_contain_text("Status")
    sandbox.post(f"tenants/{contoso['id']}/incidents/{number}", {"status": "Resolved"})
    keys(page, "ArrowDown", "Control+Enter")
    choice = page.locator(".conflict").first
    expect(choice).to_contain_text("Now at Microsoft Resolved", timeout=SOON)
    expect(choice).to_contain_text("Your value In progress")
    assert_accessible(page)
    assert at_microsoft(sandbox, contoso, number)["status"] == "Resolved"
    tab_to(page, "Keep theirs")
    keys(page, "Enter")
    expect(page.locator("#toast")).to_contain_text("what stands at Microsoft stays", timeout=SOON)
    assert at_microsoft(sandbox, contoso, number)["status"] == "Resolved"


def test_a_refusal_is_told_in_words_and_tried_again(page: Page, sandbox: Sandbox, contoso: dict[str, Any]) -> None:
    number = happens(sandbox, contoso, "Refused once")
    sign_in(page, "alice")
    open_incident(page, number)
    sandbox.post(f"tenants/{contoso['id']}/faults", {"kind": "status", "status": 400, "on": ["patch"]})
    try:
        keys(page, "c")
        expect(page.locator("#comment")).to_be_focused()
        page.keyboard.type("Will not get through.")
        keys(page, "Control+Enter")
        expect(page.locator("#strip")).to_contain_text("Refused", timeout=SOON)
    finally:
        sandbox_clears(sandbox, contoso)
    keys(page, "g", "m")
    page.wait_for_url("**/my-changes/")
    expect(page.locator("#changes")).to_contain_text("Needs you")
    assert_accessible(page)
    tab_to(page, "Try again")
    keys(page, "Enter")
    eventually(lambda: at_microsoft(sandbox, contoso, number)["comments"], seconds=40)


def sandbox_clears(sandbox: Sandbox, tenant: dict[str, Any]) -> None:
    import requests

    requests.delete(f"{sandbox.url}/tenants/{tenant['id']}/faults", timeout=20).raise_for_status()


def test_a_change_of_a_merged_incident_goes_to_the_other_after_a_yes(
    page: Page, sandbox: Sandbox, contoso: dict[str, Any]
) -> None:
    shell, target = happens(sandbox, contoso, "The shell"), happens(sandbox, contoso, "The target")
    sign_in(page, "alice")
    open_incident(page, shell)
    open_incident(page, target)
    sandbox.post(f"tenants/{contoso['id']}/merge", {"source": shell, "target": target})

    def is_merged() -> bool:
        page.goto(f"/incidents/{TENANT}/{shell}/")
        return page.get_by_text("Microsoft has merged this incident").count() > 0

    eventually(is_merged, seconds=60, every=1)
    keys(page, "a")
    expect(dialog(page)).to_contain_text(f"#{shell} goes to #{target}")
    assert_accessible(page)
    tab_to(page, "Send it there")
    keys(page, "Enter")
    expect(page.locator("#toast")).to_contain_text("Assigned to you: 1 incident")
    eventually(lambda: at_microsoft(sandbox, contoso, target)["assignedTo"] == ALICE, seconds=40)


def test_a_tenant_that_falls_behind_is_marked_where_its_incidents_are(
    page: Page, stack: Stack, sandbox: Sandbox
) -> None:
    """Where its incidents cannot be read, the queue and the incident say that what they show is not of now.

    A tenant of its own: Microsoft asked to be left alone for a while, and the portal keeps to it after the fault.
    """
    row = next(row for row in sandbox.tenants() if row["name"] == "Northwind Traders")
    rows = eventually(lambda: exported(stack, str(row["id"])), seconds=90, every=1)
    sandbox.post(f"tenants/{row['id']}/faults", {"kind": "throttle", "seconds": 120, "on": ["list"]})
    try:
        sign_in(page, "charlie")
        page.goto("/incidents/?tenant=northwind-traders&status=all")
        expect(page.locator("#queue")).to_contain_text("waiting for Microsoft until", timeout=SOON)
        page.goto(f"/incidents/northwind-traders/{rows[0]['incident_id']}/")
        expect(page.locator(".incident-head")).to_contain_text("waiting for Microsoft until")
        assert_accessible(page)
    finally:
        sandbox_clears(sandbox, row)


def test_a_tenant_without_consent_is_read_only_with_the_reason_and_for_staff_the_way_to_a_link(
    page: Page, stack: Stack, sandbox: Sandbox
) -> None:
    row = next(row for row in sandbox.tenants() if row["name"] == "Fabrikam")
    rows = eventually(lambda: exported(stack, str(row["id"])), seconds=90, every=1)
    sandbox.post(f"tenants/{row['id']}/state", {"state": "revoked"})
    try:
        sign_in(page, "admin")
        path = f"/incidents/fabrikam/{rows[0]['incident_id']}/"

        def is_read_only() -> bool:
            page.goto(path)
            return page.get_by_text("Read-only").count() > 0

        eventually(is_read_only, seconds=90, every=1)
        assert page.locator("[data-action=resolve]").count() == 0
        assert_accessible(page)
        page.goto("/incidents/?tenant=fabrikam&status=all")
        expect(page.locator("#queue")).to_contain_text("attention")
        keys(page, "j", "c")
        expect(dialog(page)).to_contain_text("Fabrikam is read-only")
        tab_to(page, "Make a consent link")
        keys(page, "Enter")
        page.wait_for_url("**/tenants/fabrikam/")
    finally:
        sandbox.post(f"tenants/{row['id']}/state", {"state": "connected"})
        eventually(lambda: manage(stack, "verify_tenant", str(row["id"])).returncode == 0, seconds=60, every=1)


def test_forms_notes_and_my_changes_are_accessible_and_fit_every_screen(
    screen: Page, sandbox: Sandbox, contoso: dict[str, Any]
) -> None:
    number = happens(sandbox, contoso, "On every screen")
    open_incident(screen, number)
    assert_accessible(screen)
    assert_fits(screen)
    for key in ("Shift+A", "s", "v", "t", "c", "r"):
        keys(screen, key)
        dialog(screen)
        assert_accessible(screen)
        assert_fits(screen)
        keys(screen, "Escape")
        expect(screen.locator("#triage")).to_be_hidden()
    keys(screen, "a")
    screen.locator("#toast [data-action=undo]").wait_for()
    keys(screen, "u")
    expect(screen.locator("#toast")).to_contain_text("Taken back")
    assert_fits(screen)
    assert_accessible(screen)
    screen.goto("/incidents/my-changes/")
    assert_accessible(screen)
    assert_fits(screen)
    screen.goto(f"/incidents/triage/?do=resolve&incident={TENANT}:{number}")
    assert_accessible(screen)
    assert_fits(screen)
