"""A browser that notices whatever a hostile text achieves: a script, a dialog, a request, a complaint of the policy."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from django.urls import Resolver404, resolve
from playwright.sync_api import BrowserContext, Page

from tests.journeys.portal_under_test import eventually

# Every element is pointed at, focused and, where that only stays on the page, clicked; everything closed is opened.
PROVOKE = """() => {
  for (const one of document.querySelectorAll("details")) one.open = true;
  for (const one of document.querySelectorAll("*")) {
    for (const type of ["mouseover", "pointerenter", "animationstart", "toggle", "focus"])
      one.dispatchEvent(new Event(type));
    for (const name of ["href", "xlink:href", "action", "formaction"])
      if (/^[\\u0000-\\u0020]*j\\s*a\\s*v\\s*a\\s*s/i.test(one.getAttribute(name) || "")) one.dispatchEvent(
        new MouseEvent("click", {bubbles: true, cancelable: true}));
  }
}"""
HANDLERS = """() => [...document.querySelectorAll("*")].filter(one => [...one.attributes].some(
    a => /^(on|hx-on)/i.test(a.name) || (/^(href|src|action|formaction)$/i.test(a.name)
         && /^\\s*(javascript|data|vbscript):/i.test(a.value) && one.nodeName !== "IMG"))).map(one => one.outerHTML)"""
TEXT = """() => [document.body.textContent, document.title, ...[...document.querySelectorAll("input, textarea")].map(
    one => one.value), ...[...document.querySelectorAll("[title]")].map(one => one.title)].join(" ")"""
LINKS = """() => [...document.querySelectorAll("a[href]:not([download])")].map(one => one.href)"""
# Fragments that a page loads when asked to; the attribute and not the words, so that new ones are found as well.
MORE = "button[hx-get]"


@dataclass
class Witness:
    """What has happened in one browser profile, on all its pages, since the beginning."""

    origin: str
    fired: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    requests: int = 0
    visits: Counter[str] = field(default_factory=Counter)

    def watch(self, context: BrowserContext) -> Page:
        """A page under watch. What is foreign is noted; the browser itself lets nothing leave the machine."""
        context.expose_function("canary", lambda *number: self.fired.append(str(number)))
        context.on("request", self._request)
        page = context.new_page()
        page.on("dialog", self._dialog)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"script error: {error}"))
        return page

    def _is_foreign(self, url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme not in {"data", "about", "blob"} and f"{parts.scheme}://{parts.netloc}" != self.origin

    def _request(self, request: Any) -> None:
        self.requests += 1
        if self._is_foreign(request.url):
            self.foreign.append(request.url)

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _console(self, message: Any) -> None:
        words = ("Content Security Policy", "Refused to", "violates", "TrustedHTML", "TrustedScript", "Trusted Type")
        if any(word in message.text for word in words):
            self.complaints.append(message.text[:300])

    @property
    def harm(self) -> dict[str, list[str]]:
        """What must be empty."""
        return {"ran": self.fired, "dialogs": self.dialogs, "foreign": self.foreign, "complaints": self.complaints}


def look_at(page: Page, witness: Witness, path: str) -> list[str]:
    """Open a page, load all it can load, provoke all that is on it; its links."""
    page.goto(path)
    buttons = page.locator(MORE)
    for _ in range(min(buttons.count(), 20)):
        if not buttons.count():
            break
        before = buttons.count()
        buttons.first.click()
        eventually(lambda fewer=before: buttons.count() < fewer, seconds=30, every=0.05)  # type: ignore[misc]
    page.evaluate(PROVOKE)
    assert page.evaluate(HANDLERS) == [], path
    witness.texts.append(str(page.evaluate(TEXT)))
    witness.visits[view_of(path)] += 1
    return [str(link) for link in page.evaluate(LINKS)]


def view_of(path: str) -> str:
    """The name of the page, whatever it is about."""
    try:
        return resolve(urlsplit(path).path).view_name
    except Resolver404:
        return "nothing there"


def crawl(page: Page, witness: Witness, seeds: list[str], *, each: int) -> None:
    """Open the seeds and follow links from page to page: ``each`` of a kind, whatever their parameters say."""
    waiting, seen, kinds = list(seeds), set(seeds), Counter[str]()
    while waiting:
        path = waiting.pop(0)
        kinds[view_of(path)] += 1
        if kinds[view_of(path)] > each and path not in seeds:
            continue
        for link in _inside(witness, look_at(page, witness, path)):
            if link not in seen:
                seen.add(link)
                waiting.append(link)


def _inside(witness: Witness, links: list[str]) -> Iterator[str]:
    for link in links:
        parts = urlsplit(urljoin(witness.origin, link))
        inside = f"{parts.scheme}://{parts.netloc}" == witness.origin
        # A file is no page; tests/incidents/test_queue_export.py looks at its bytes.
        if inside and not parts.path.startswith(("/static/", "/sign-", "/admin/logout", "/incidents/export/")):
            yield parts.path + (f"?{parts.query}" if parts.query else "")
