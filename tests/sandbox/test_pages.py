"""The control page and the consent page as people meet them, in a browser."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from sandbox.world import World
from tests.sandbox.cloud import Cloud, cloud_of

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="document.title=1"> "\'&amp; \u202e \ud800'


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """The whole cast with faults on, and a name that would be dangerous if it were markup."""
    world = World(seed=7, tenants=11, incidents=(5, 8))
    world.tenant("Litware").name = HOSTILE
    with cloud_of(world) as running:
        running.control(f"tenants/{running.id_of('fabrikam')}/faults", {"kind": "throttle"})
        running.control(f"tenants/{running.id_of('contoso')}/incidents", {"incidentName": HOSTILE})
        running.api("/api/incidents")
        yield running


def consent_path(cloud: Cloud) -> str:
    app, back = cloud.world.registration.client_id, "http://localhost:8000/consent/callback/"
    return f"/{cloud.id_of('Coho Vineyard')}/adminconsent?client_id={app}&redirect_uri={back}&state=s"


def open_page(browser: Browser, cloud: Cloud, path: str, *, scheme: str = "light", width: int = 1280) -> Page:
    page = browser.new_page(
        color_scheme="dark" if scheme == "dark" else "light", viewport={"width": width, "height": 800}
    )
    page.goto(cloud.url + path)
    return page


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1280), ("light", 320)])
def test_the_pages_are_sound_for_everybody(browser: Browser, cloud: Cloud, scheme: str, width: int) -> None:
    for path in ("/_sandbox/", consent_path(cloud), "/nobody.example/adminconsent"):
        page = open_page(browser, cloud, path, scheme=scheme, width=width)
        for more in page.locator("summary").all():
            more.click()
        found = Axe().run(page).response["violations"]
        assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.close()


def test_the_control_page_says_what_it_is_and_marks_what_is_on(browser: Browser, cloud: Cloud) -> None:
    page = open_page(browser, cloud, "/_sandbox/")
    expect(page.get_by_role("heading", name="Sandbox cloud")).to_be_visible()
    expect(page.locator("main")).to_contain_text("plays the part of Entra ID")
    row = page.get_by_role("row").filter(has_text="fabrikam.example")
    expect(row).to_contain_text("on: throttle")
    expect(row).to_have_class("struck")
    page.close()


def test_hostile_names_are_text(browser: Browser, cloud: Cloud) -> None:
    page = open_page(browser, cloud, "/_sandbox/")
    expect(page.locator("main")).to_contain_text("<img src=x onerror")
    assert page.locator("main img").count() == 0
    assert "Sandbox cloud" in page.title()
    page.close()


def test_what_was_done_is_said_and_seen(browser: Browser, cloud: Cloud) -> None:
    page = open_page(browser, cloud, "/_sandbox/")
    page.get_by_role("button", name="New incident in Northwind Traders").click()
    expect(page.get_by_role("status")).to_contain_text("Northwind Traders has a new incident")
    page.get_by_label("Fault in Northwind Traders").select_option("html")
    page.get_by_role("button", name="Switch on in Northwind Traders").click()
    expect(page.get_by_role("status")).to_contain_text("Switched on in Northwind Traders: html")
    assert cloud.api("/api/incidents", "Northwind Traders").headers["Content-Type"].startswith("text/html")
    page.get_by_role("button", name="Off with the faults of Northwind Traders").click()
    expect(page.get_by_role("status")).to_contain_text("are off")
    assert cloud.api("/api/incidents", "Northwind Traders").status_code == 200
    page.get_by_role("button", name="Make it lively").click()
    expect(page.locator("main")).to_contain_text("The world is lively")
    page.get_by_role("button", name="Make it quiet").click()
    assert cloud.world.pace == 0
    page.close()


def test_consent_is_given_and_taken_back_on_the_page(browser: Browser, cloud: Cloud) -> None:
    page = open_page(browser, cloud, "/_sandbox/")
    page.get_by_role("button", name="Revoke of Adventure Works").click()
    assert cloud.world.tenant("Adventure Works").state == "revoked"
    page.get_by_role("button", name="Approve for Adventure Works").click()
    assert cloud.world.tenant("Adventure Works").state == "connected"
    page.get_by_text("More states of Adventure Works").click()
    page.get_by_label("State of Adventure Works").select_option("disabled")
    page.get_by_role("button", name="Set the state of Adventure Works").click()
    assert cloud.world.tenant("Adventure Works").state == "disabled"
    page.close()


def test_the_consent_page_sends_the_browser_back(browser: Browser, cloud: Cloud) -> None:
    page = open_page(browser, cloud, consent_path(cloud))
    page.route("http://localhost:8000/**", lambda route: route.fulfill(body="the portal"))
    expect(page.get_by_role("heading", name="Permissions requested")).to_be_visible()
    expect(page.locator("main")).to_contain_text("not Microsoft")
    expect(page.locator("main")).to_contain_text("Read and write all incidents")
    page.get_by_role("button", name="Accept").click()
    page.wait_for_url("http://localhost:8000/consent/callback/?tenant=*&state=s&admin_consent=True")
    assert cloud.world.tenant("Coho Vineyard").state == "connected"
    page.close()


def test_thousands_of_tenants_are_found_by_name() -> None:
    with cloud_of(World(tenants=1500)) as many:
        page = many.call("GET", "/_sandbox/")
        assert page.text.count("<tr>") < 110 and "100 of 1500" in page.text
        found = many.call("GET", "/_sandbox/", params={"q": "contoso"})
        assert "contoso.example" in found.text and "fabrikam.example" not in found.text
        assert "&lt;b&gt;" in many.call("GET", "/_sandbox/", params={"q": "<b>"}).text
