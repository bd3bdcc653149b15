"""What our scripts leave in the browser, and what they never build from names that came from outside."""

import re

from tests.repository.tree import files_in, name_of

SCRIPTS = list(files_in("portal/static/portal", suffix=".js"))
STORES = re.compile(r"\b(localStorage|sessionStorage|indexedDB|caches|document\.cookie)\b(\.\w+\(\"(\w+)\")?")
MARKUP = re.compile(
    r"\.(innerHTML|outerHTML|insertAdjacentHTML)\b|document\.write|\beval\(|new Function|createContextual"
)


def test_there_are_scripts_to_look_at() -> None:
    assert len(SCRIPTS) >= 4


def test_only_the_theme_is_kept_in_the_browser() -> None:
    kept = {(found[1], found[3]) for path in SCRIPTS for found in STORES.finditer(path.read_text())}
    assert kept == {("localStorage", "theme")}


def test_scripts_build_no_object_from_names_that_came_from_outside() -> None:
    """Prototype pollution needs a computed name that is written to; our scripts have none."""
    wrong = re.compile(r"\w\[[^\]\"'\d]+\]\s*=[^=]|Object\.assign\(|__proto__|JSON\.parse")
    assert {name_of(path) for path in SCRIPTS if wrong.search(path.read_text())} == set()


def test_scripts_make_no_markup_of_text() -> None:
    """The gate itself parses, into a document in which nothing runs; nobody else writes markup."""
    assert {name_of(path) for path in SCRIPTS if MARKUP.search(path.read_text())} == set()
    parsing = {name_of(path) for path in SCRIPTS if "DOMParser" in path.read_text()}
    assert parsing == {"portal/static/portal/trusted.js"}
