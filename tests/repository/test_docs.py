"""What is written is true as far as a machine can tell: files, headings, names, commands and states exist."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from accounts.roles import Role
from portal.celery import BEAT
from tenants.models import SyncRun, TenantState
from tests.repository.tree import PACKAGES, ROOT, name_of

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
PATH = re.compile(r"[\w.-]+(/[\w.-]+)*/?")
ENDINGS = (".py", ".md", ".txt", ".toml", ".yaml", ".html", ".in", ".example", "/")
DOTTED = re.compile(r"[a-z_]+(\.[A-Za-z_]+)+")
# Named as an example, or made by whoever follows the text.
ELSEWHERE = {
    "templates/incidents/quarantine.html",
    "tests/incidents/test_quarantine_page.py",
    ".local/",
    "_name.html",
    "staticfiles",
}


def prose(path: Path) -> str:
    """The document without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", path.read_text(), flags=re.DOTALL | re.MULTILINE)


@cache
def anchors(path: Path) -> set[str]:
    """The anchors that a document's headings make."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(path: Path) -> Iterator[tuple[str, str]]:
    for target in LINK.findall(prose(path)):
        if "://" not in target and not target.startswith("mailto:"):
            file, _, anchor = target.partition("#")
            yield file, anchor


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    lost = []
    for file, anchor in links(path):
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            lost.append(f"{file}#{anchor}")
    assert lost == []


def looks_like_a_path(code: str) -> bool:
    """With a known ending, or below a folder of the checkout; addresses and host names are not."""
    if not PATH.fullmatch(code) or code in ELSEWHERE:
        return False
    top = code.split("/")[0]
    return top in {*PACKAGES, "docs"} if "/" in code.rstrip("/") else code.endswith(ENDINGS)


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_paths_in_backticks_exist(path: Path) -> None:
    bases = (ROOT, path.parent, ROOT / "templates", ROOT / "tenants", ROOT / "incidents")
    paths = [code for code in CODE.findall(prose(path)) if looks_like_a_path(code)]
    assert [code for code in paths if not any((base / code).exists() for base in bases)] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_names_of_code_in_backticks_exist(path: Path) -> None:
    names = {code.split("(")[0] for code in CODE.findall(prose(path))} - tasks()
    ours = [name for name in names if DOTTED.fullmatch(name) and name.split(".")[0] in PACKAGES]
    assert [name for name in ours if not name.endswith(ENDINGS) and not defined(name)] == []


def defined(name: str) -> bool:
    """Whether a dotted name leads to a module, and its rest to a name that the module defines."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        base = ROOT.joinpath(*parts[:end])
        module = base.with_suffix(".py") if base.with_suffix(".py").is_file() else base / "__init__.py"
        if module.is_file():
            return all(
                re.search(rf"^\s*((async )?def|class) {rest}\b|^{rest}\b.* = ", module.read_text(), re.M)
                for rest in parts[end:]
            )
    return False


def tasks() -> set[str]:
    return {entry["task"] for entry in BEAT.values()}


@pytest.mark.parametrize("path", DOCUMENTS, ids=name_of)
def test_commands_of_manage_py_exist(path: Path) -> None:
    from django.core.management import get_commands

    named = set(re.findall(r"manage\.py ([a-z_]+)", path.read_text()))
    assert named - set(get_commands()) == set()


def test_operations_explain_every_state() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    labels = [*TenantState.labels, *SyncRun.Ended.labels]
    assert [label for label in labels if f"| {label} |" not in text] == []


def test_operations_explain_every_alarm() -> None:
    """Keys are spelled in the code as a constant, or as the beginning of an f-string."""
    text = (ROOT / "docs" / "operations.md").read_text()
    keys = set()
    for app in ("tenants", "incidents"):
        for path in (ROOT / app).rglob("*.py"):
            source = path.read_text()
            keys |= set(re.findall(r"ALARM(?:_KEY)? = \"([a-z-]+)\"", source))
            keys |= set(re.findall(r"key=f?\"([a-z-]+)[\"{]", source))
    assert keys
    assert [key for key in sorted(keys) if f"`{key}" not in text] == []


def test_the_glossary_names_the_roles() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text().lower()
    assert [label for label in Role.labels if f"*{label.lower()}*" not in text] == []


def test_decisions_are_numbered_without_gaps_and_short() -> None:
    files = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [int(path.name[:4]) for path in files] == list(range(1, len(files) + 1))
    for number, path in enumerate(files, start=1):
        text = path.read_text()
        assert text.startswith(f"# {number}. "), path.name
        for part in ("**Why it came up.**", "**Decision.**", "**Instead of.**", "**What follows.**"):
            assert part in text, path.name
        assert len(text.split()) < 300, path.name


def test_the_readme_is_short_and_has_the_apt_line() -> None:
    text = (ROOT / "README.md").read_text()
    assert "apt-get install python3 python3-venv git make" in text
    assert len(text.splitlines()) < 100
    assert "never run against Microsoft" in text
