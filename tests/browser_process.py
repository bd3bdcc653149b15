"""The installed Chromium, driven by Playwright; said plainly where there is none."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Nothing leaves the machine, whatever a page asks for.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]


def installed() -> str | None:
    """The path of a browser that can be driven, or None."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def chromium() -> Iterator[Browser]:
    """A running browser. Without one: skipped, or a failure where REQUIRE_BROWSER=1."""
    path = installed()
    if path is None:
        message = "No Chromium is installed, so the browser tests did not run (apt-get install chromium)."
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()
