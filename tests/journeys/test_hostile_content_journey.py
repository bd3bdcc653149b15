"""M1: what attackers write is text on every page, in a real browser: nothing runs, nothing is loaded, nothing hides."""

import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, Route

from demo.stack import Stack
from tests.journeys.hostile_browser import PROVOKE, Witness, crawl
from tests.journeys.hostile_payloads import TRAP, payloads
from tests.journeys.hostile_world import INCIDENTS, fill
from tests.journeys.portal_under_test import Sandbox, eventually, running_portal
from tests.journeys.steps import sign_in
from tests.journeys.test_live_journey import exported

pytestmark = pytest.mark.browser

TENANT = "contoso"
SEEDS = [
    "/incidents/?q=canary",
    f"/incidents/?tenant={TENANT}",
    "/incidents/",
    "/tenants/",
    f"/tenants/{TENANT}/",
    "/admin/",
]
# Where a page might repeat what its address says.
REFLECTING = (
    "/incidents/?q={}",
    "/incidents/?tenant={}",
    "/incidents/?assignee={}",
    "/incidents/?severity={}&status={}",
    "/tenants/?state={}",
    "/consent/callback/?error=access_denied&error_description={}&state={}",
    "/consent/callback/?admin_consent=True&tenant={}&state={}",
    "/connect/{}/",
    "/{}",
    "/admin/{}/",
    "/admin/accounts/user/?q={}",
    "/admin/incidents/incident/?tenant={}",
    "/admin/tenants/tenant/{}/change/",
)
EACH_ADDRESS = 3
# Of every second payload in a page that escapes nothing, so many run at least in the browsers of today.
RUNNING = 45
BARE = """<!doctype html><title>control</title><body>{0}<div title="{0}" class='{0}'>x</div><input value="{0}">
<a href="{0}">link</a><a href='{0}'>link</a><textarea>{0}</textarea><script>var text = "{0}";</script></body>"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A portal of its own, full of hostile text."""
    with running_portal(tmp_path_factory.mktemp("hostile"), name="hostile") as running:
        sandbox = Sandbox(running.sandbox_url)
        row = next(row for row in sandbox.tenants() if row["name"].lower() == TENANT)
        fill(running, sandbox, row["id"], datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        eventually(lambda: len(hostile_numbers(running)) == INCIDENTS, seconds=120, every=2)
        yield running


def hostile_numbers(stack: Stack) -> list[int]:
    """Which of the ten have arrived, by number."""
    rows = exported(stack)
    return [int(str(row["incident_id"])) for row in rows if "canary(" in str(row["name"]) or "¤" in str(row["name"])]


@pytest.fixture
def witness(stack: Stack) -> Witness:
    return Witness(stack.url)


@pytest.fixture
def page(browser: Browser, stack: Stack, witness: Witness) -> Iterator[Page]:
    """A fresh profile in which staff are signed in, and from then on under watch."""
    context = browser.new_context(base_url=stack.url)
    door = context.new_page()
    sign_in(door, "admin")
    door.close()
    yield witness.watch(context)
    context.close()


def shown_on(witness: Witness) -> set[int]:
    """The payloads whose whole text, up to its mark, was seen on some page."""
    return {int(number) for text in witness.texts for number in re.findall(r"¤(\d+)¤", text)}


@pytest.mark.timeout(900, func_only=True)
def test_m1_two_hundred_payloads_in_every_field_are_text_on_every_page(
    page: Page, witness: Witness, stack: Stack
) -> None:
    assert len(set(payloads())) >= 200
    ten = [f"/incidents/{TENANT}/{number}/" for number in hostile_numbers(stack)]
    crawl(page, witness, [*SEEDS, *ten], each=2)
    shown = shown_on(witness)
    print(  # noqa: T201
        f"{len(payloads())} payloads, {len(shown)} seen as text on {sum(witness.visits.values())} pages of "
        f"{len(witness.visits)} kinds, {witness.requests} requests: {witness.harm}"
    )
    assert witness.harm == {"ran": [], "dialogs": [], "foreign": [], "complaints": []}
    assert shown == set(range(len(payloads())))
    assert witness.visits["incidents:incident"] >= INCIDENTS
    assert len([name for name in witness.visits if name.startswith("admin:")]) >= 20
    assert hidden_in("".join(witness.texts)) == set()


def hidden_in(text: str) -> set[str]:
    """Characters that steer a terminal or turn the direction of writing."""
    odd = {character for character in set(text) if unicodedata.category(character) in {"Cc", "Cf", "Zl", "Zp"}}
    # Joiners and soft hyphens belong to writing; names in the administration may hold them.
    return {f"U+{ord(character):04X}" for character in odd - set("\n\t\r\u00ad\u200b\u200c\u200d")}


@pytest.mark.timeout(900, func_only=True)
def test_m1_what_an_address_says_is_never_more_than_text(page: Page, witness: Witness) -> None:
    for number in range(0, len(payloads()), EACH_ADDRESS):
        text = " ".join(payloads()[number : number + EACH_ADDRESS]).replace("\x00", "")
        page.goto(REFLECTING[number // EACH_ADDRESS % len(REFLECTING)].replace("{}", quote(text, safe="")[:3000]))
        page.evaluate(PROVOKE)
    assert witness.harm == {"ran": [], "dialogs": [], "foreign": [], "complaints": []}


@pytest.mark.timeout(900, func_only=True)
@pytest.mark.parametrize("policy", ["none", "ours"])
def test_m1_the_same_payloads_unescaped_do_run_and_our_policy_alone_stops_them(
    page: Page, witness: Witness, policy: str
) -> None:
    """The control: the witness sees what happens, and the content policy is a lock of its own."""
    header = str(page.request.get("/sign-in/").headers["content-security-policy"])
    headers = {"Content-Security-Policy": header} if policy == "ours" else {}
    for number, text in list(enumerate(payloads()))[::2]:
        body = BARE.replace("{0}", text)
        page.route(f"**/control/{number}", answered_with(body, headers))
        try_out(page, f"/control/{number}")
    ran = {number for fired in witness.fired for number in re.findall(r"\d+", fired)}
    print(f"policy {policy}: {len(ran)} ran, {len(witness.foreign)} requests, {len(witness.complaints)} complaints")  # noqa: T201
    if policy == "none":
        assert len(ran) >= RUNNING
        assert any(TRAP in url for url in witness.foreign)
    else:
        assert ran == set()
        assert len(witness.complaints) >= RUNNING


def answered_with(body: str, headers: dict[str, str]) -> Callable[[Route], None]:
    """In the server's place, with the page that is to be tried."""
    return lambda route: route.fulfill(body=body, content_type="text/html; charset=utf-8", headers=headers)


def try_out(page: Page, path: str) -> None:
    """Open and provoke; a payload may lead the page away meanwhile, which is no failure here."""
    from playwright.sync_api import Error

    try:
        page.goto(path, wait_until="domcontentloaded", timeout=10_000)
        page.evaluate(PROVOKE)
        page.wait_for_timeout(30)
    except Error:
        page.goto("about:blank")
