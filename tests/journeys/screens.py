"""The screens on which pages are looked at, and what has to hold on each."""

from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

Scheme = Literal["light", "dark"]
SCREENS: dict[str, tuple[Scheme, int]] = {"light": ("light", 1400), "dark": ("dark", 1400), "narrow": ("light", 320)}
CONTRASTS = ("high contrast", "high contrast, dark")


def assert_accessible(page: Page) -> None:
    """axe finds nothing."""
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


def assert_fits(page: Page) -> None:
    """Nothing sticks out sideways."""
    inner, outer = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert inner <= outer
