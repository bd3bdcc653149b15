"""Hands on the keyboard: rows, keys, the list of keys, the command list, preferences, without a mouse."""

import re

import pytest
from playwright.sync_api import Page, expect

from demo.stack import Stack
from tests.journeys.portal_under_test import eventually
from tests.journeys.screens import assert_accessible, assert_fits
from tests.journeys.steps import sign_in
from tests.journeys.test_live_journey import exported

pytestmark = pytest.mark.browser


@pytest.fixture
def queue(page: Page, stack: Stack) -> Page:
    """Alice before her queue, with rows in it."""
    eventually(lambda: exported(stack), seconds=90, every=1)
    sign_in(page, "alice")
    page.locator("[data-row]").nth(4).wait_for()
    return page


def focused(page: Page) -> str:
    """The id of the element that has the keyboard."""
    return str(page.evaluate("document.activeElement.id"))


def ids(page: Page) -> list[str]:
    return [str(row.get_attribute("id")) for row in page.locator("#queue [data-row]").all()]


def test_keys_move_through_the_rows_and_open_one(queue: Page) -> None:
    first, second = (row.removeprefix("row-") for row in ids(queue)[:2])
    queue.keyboard.press("j")
    assert focused(queue) == f"open-{first}"
    queue.keyboard.press("j")
    queue.keyboard.press("ArrowUp")
    queue.keyboard.press("ArrowDown")
    assert focused(queue) == f"open-{second}"
    queue.keyboard.press("k")
    queue.keyboard.press("o")
    queue.wait_for_url(f"**/incidents/{first.rpartition('-')[0]}/{first.rpartition('-')[2]}/**")
    queue.keyboard.press("g")
    queue.keyboard.press("q")
    queue.wait_for_url("**/incidents/")


def test_rows_are_selected_with_keys_and_with_shift_and_stay_selected_when_the_list_replaces_itself(
    queue: Page,
) -> None:
    queue.keyboard.press("j")
    queue.keyboard.press("x")
    queue.keyboard.press("Shift+J")
    queue.keyboard.press("Shift+ArrowDown")
    expect(queue.locator("[data-select]:checked")).to_have_count(3)
    expect(queue.locator("#announce")).to_have_text("3 selected")
    before = focused(queue)
    queue.evaluate("document.getElementById('queue').setAttribute('hx-get', '/incidents/rows/?version=other')")
    queue.evaluate("htmx.process(document.body); htmx.ajax('GET', '/incidents/rows/?version=x', '#queue')")
    expect(queue.locator("[data-select]:checked")).to_have_count(3)
    queue.keyboard.press("Escape")
    expect(queue.locator("[data-select]:checked")).to_have_count(0)
    queue.keyboard.press("*")
    assert queue.locator("[data-select]:checked").count() == len(ids(queue))
    assert before.startswith("open-")


def test_everything_that_matches_is_selected_with_a_key_and_shown_before_anything_is_decided(queue: Page) -> None:
    queue.goto("/incidents/?severity=high&severity=medium&severity=low&severity=informational")
    expect(queue.locator("[data-select]").first).to_be_visible()
    queue.keyboard.press("e")
    expect(queue.locator("#announce")).to_have_text("All pages selected")
    expect(queue.locator("#select-matching")).to_be_checked()
    for key in ("s", "a"):
        queue.keyboard.press(key)
        dialog = queue.get_by_role("dialog").filter(has=queue.locator("#triage-title"))
        expect(dialog).to_be_visible()
        assert dialog.locator("[name=incident]").count() > queue.locator("[data-select]").count() > 0
        assert_accessible(queue)
        queue.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
    queue.locator("[data-select]").first.click()
    expect(queue.locator("#select-matching")).not_to_be_checked()
    queue.keyboard.press("e")
    queue.goto("/incidents/my-changes/")
    queue.go_back()
    expect(queue.locator("[data-row]").first).to_be_visible()
    expect(queue.locator("#select-matching")).not_to_be_checked()
    queue.keyboard.press("e")
    expect(queue.locator("#selected")).to_have_text("All pages selected")
    queue.locator("#status").select_option("resolved")
    expect(queue.locator("#select-matching")).not_to_be_checked()
    expect(queue.locator("#select-matching")).to_have_value(re.compile("status=resolved"))


def test_shift_and_click_select_a_range(queue: Page) -> None:
    boxes = queue.locator("[data-select]")
    boxes.nth(0).click()
    boxes.nth(3).click(modifiers=["Shift"])
    expect(queue.locator("[data-select]:checked")).to_have_count(4)


def test_the_keyboard_stays_in_its_row_when_the_list_replaces_itself(queue: Page) -> None:
    queue.keyboard.press("j")
    queue.keyboard.press("j")
    before = focused(queue)
    with queue.expect_response("**/incidents/rows/**"):
        queue.evaluate(
            "htmx.ajax('GET', '/incidents/rows/?version=x', {source: '#queue', target: '#queue', swap: 'outerHTML'})"
        )
    queue.wait_for_timeout(300)
    assert focused(queue) == before


def test_keys_do_nothing_while_somebody_types(queue: Page) -> None:
    queue.keyboard.press("/")
    assert focused(queue) == "words"
    queue.keyboard.type("jx?gq")
    assert queue.locator("#words").input_value() == "jx?gq"
    assert not queue.locator("dialog[open]").count()


def test_the_list_of_keys_is_made_from_the_actions(queue: Page) -> None:
    queue.keyboard.press("?")
    dialog = queue.get_by_role("dialog", name="Keyboard")
    for words in ("Next row", "Assign to me", "Resolve with classification", "Undo the last change", "Show times"):
        expect(dialog).to_contain_text(words)
    queue.keyboard.press("j")
    queue.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_the_command_list_finds_actions_pages_and_incidents(queue: Page) -> None:
    key = ids(queue)[0].removeprefix("row-")
    slug, _, number = key.rpartition("-")
    queue.keyboard.press("Control+k")
    box = queue.get_by_role("combobox", name="Command, page")
    expect(box).to_be_focused()
    box.fill("exactly")
    options = queue.locator("#palette").get_by_role("option")
    expect(options).to_have_count(1)
    queue.keyboard.press("Enter")
    expect(queue.locator("#queue .c-updated time").first).to_contain_text("UTC")
    queue.keyboard.press(".")
    box.fill(f"{slug.split('-')[0]} {number}")
    expect(options.filter(has_text=f"#{number}").first).to_be_visible()
    queue.keyboard.press("ArrowDown")
    queue.keyboard.press("ArrowUp")
    expect(queue.locator("[role=option][aria-selected=true]")).to_have_count(1)
    queue.keyboard.press("Enter")
    queue.wait_for_url(f"**/incidents/*/{number}/**")


def test_whoever_switches_single_keys_off_keeps_the_command_list(queue: Page) -> None:
    queue.goto("/preferences/")
    queue.get_by_label("Shortcuts of one key").uncheck()
    queue.get_by_role("button", name="Keep").click()
    queue.get_by_text("Your preferences are kept").wait_for()
    for key in ("?", ".", "g", "q", "/"):
        queue.keyboard.press(key)
    assert not queue.locator("dialog[open]").count()
    queue.keyboard.press("Control+k")
    expect(queue.get_by_role("combobox", name="Command, page")).to_be_focused()
    queue.keyboard.press("Escape")
    queue.get_by_label("Shortcuts of one key").check()
    queue.get_by_role("button", name="Keep").click()


def test_a_theme_from_the_menu_holds_at_once_and_on_the_next_page(queue: Page) -> None:
    queue.locator("details[data-menu] summary", has_text="alice").click()
    with queue.expect_response("**/preferences/theme/"):
        queue.get_by_role("button", name="Dark").click()
    assert queue.evaluate("document.documentElement.dataset.theme") == "dark"
    queue.goto("/tenants/")
    assert queue.evaluate("document.documentElement.dataset.theme") == "dark"
    queue.goto("/preferences/")
    queue.get_by_label("As the system").check()
    queue.get_by_role("button", name="Keep").click()
    queue.get_by_text("Your preferences are kept.").wait_for()
    assert queue.evaluate("document.documentElement.dataset.theme") is None


def test_lists_of_keys_and_commands_and_preferences_are_accessible_on_every_screen(screen: Page) -> None:
    screen.goto("/preferences/")
    assert_accessible(screen)
    assert_fits(screen)
    screen.goto("/incidents/")
    assert_accessible(screen)
    assert_fits(screen)
    for key in ("?", "Control+k"):
        screen.keyboard.press(key)
        screen.locator("dialog[open]").wait_for()
        assert_accessible(screen)
        assert_fits(screen)
        screen.keyboard.press("Escape")
