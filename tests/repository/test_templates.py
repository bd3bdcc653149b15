"""Pages extend a base, fragments stand alone, and nothing in a page runs that the content policy would refuse."""

import re
from pathlib import Path

import django.contrib.admin
import pytest

from tests.repository.tree import ROOT, files_in, name_of

TEMPLATES = list(files_in("templates", suffix=".html"))
BASES = {"base.html", "plain.html"}
OF_DJANGO = Path(django.contrib.admin.__path__[0]) / "templates"
# Django looks for these by name: error pages, and the administration's pages in place of its own.
FOUND_BY_DJANGO = re.compile(r"(400|403|404|500|403_csrf|admin/.+)\.html")
EXTENDS = re.compile(r"\{%\s*extends\s+[\"'](?P<base>[^\"']+)[\"']\s*%\}")
COMMENTS = re.compile(r"\{#.*?#\}|\{%\s*comment.*?endcomment\s*%\}|<!--.*?-->", re.DOTALL)
# `url`s that live in attributes are fine; code in attributes is not.
HANDLER = re.compile(r"<[^>]*\son[a-z]+\s*=", re.IGNORECASE)
STYLE = re.compile(r"<style\b|<[^>]*\sstyle\s*=", re.IGNORECASE)
SCRIPT = re.compile(r"<script\b(?P<attributes>[^>]*)>(?P<body>.*?)</script>", re.IGNORECASE | re.DOTALL)
DATA = re.compile(r"type\s*=\s*[\"']application/json[\"']", re.IGNORECASE)


def source(path: Path) -> str:
    return COMMENTS.sub("", path.read_text())


def is_fragment(path: Path) -> bool:
    return path.name.startswith("_") or path.parent.name == "components" or path.relative_to(ROOT).parts[1] in BASES


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_a_template_is_a_page_on_a_base_or_a_fragment(path: Path) -> None:
    base = EXTENDS.search(source(path))
    if base:
        assert not path.name.startswith("_"), "a fragment extends nothing"
        assert (ROOT / "templates" / base["base"]).is_file() or (OF_DJANGO / base["base"]).is_file()
        assert source(path).lstrip().startswith("{% extends"), "extends comes first"
    else:
        assert is_fragment(path), "neither a fragment nor on a base"


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_a_template_has_no_inline_script_style_or_handler(path: Path) -> None:
    text = source(path)
    assert not HANDLER.search(text)
    assert not STYLE.search(text)
    assert "javascript:" not in text.lower()
    assert "hx-on" not in text, "htmx evaluates it as code"
    for script in SCRIPT.finditer(text):
        assert "src=" in script["attributes"] or DATA.search(script["attributes"])
        assert not script["body"].strip() or DATA.search(script["attributes"])
        is_ours = path.relative_to(ROOT).parts[1] != "admin"
        assert not is_ours or 'nonce="{{ csp_nonce }}"' in script["attributes"], "the content policy would refuse it"


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_a_template_loads_nothing_from_other_hosts(path: Path) -> None:
    loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)\s*=\s*[\"'](https?:)?//", source(path))
    assert loaded == []


@pytest.mark.parametrize("path", TEMPLATES, ids=name_of)
def test_every_form_that_posts_carries_the_csrf_token(path: Path) -> None:
    text = source(path)
    for form in re.finditer(r"<form\b[^>]*method=[\"']post[\"'].*?</form>", text, re.IGNORECASE | re.DOTALL):
        assert "csrf_token" in form[0]


def test_every_fragment_and_component_is_used() -> None:
    code = "".join(
        path.read_text() for path in files_in("portal", "accounts", "tenants", "incidents", "api", suffix=".py")
    )
    everything = code + "".join(path.read_text() for path in TEMPLATES)
    unused = []
    for path in TEMPLATES:
        name = path.relative_to(ROOT / "templates").as_posix()
        if not FOUND_BY_DJANGO.fullmatch(name) and name not in everything:
            unused.append(name)
    assert unused == []
