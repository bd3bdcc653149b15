"""Things that have no place in the product's code, with the few exceptions named."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repository.tree import PRODUCT, files_in, name_of, parsed

# name → (what it looks like, files that may have it and why)
FORBIDDEN: dict[str, tuple[str, dict[str, str]]] = {
    "escaping switched off": (r"\bmark_safe\b|\|\s*safe\b|\bautoescape off\b|\bSafeString\b", {}),
    "certificates not checked": (r"verify\s*=\s*False|CERT_NONE|check_hostname\s*=\s*False", {}),
    "CSRF check switched off": (r"\bcsrf_exempt\b", {}),
    "debugging left behind": (r"\bbreakpoint\(|\bpdb\b|DEBUG\s*=\s*True", {}),
    "code from data": (r"(?<![\w.])(eval|exec)\(|^\s*(import|from) (pickle|marshal|shelve)\b|\byaml\.load\(", {}),
    "a shell": (r"shell\s*=\s*True|\bos\.system\(", {}),
    "raw SQL through a model": (r"\.extra\(|\.raw\(|\bRawSQL\b", {}),
}
SUFFIXES = (".py", ".html", ".js")
BROAD_EXCEPT = {
    "tenants/tasks.py": "the outermost loop: one tenant's fault must not stop the others",
    "incidents/outbox.py": "the outermost loops: one change must not stop the others, nor one tenant the others",
    "incidents/shard.py": "the outermost loop: one tenant's fault must not stop the others",
    "portal/celery.py": "signal handlers of the worker",
    "portal/waking.py": "the outermost loop of a thread: if it ended, nobody would look any more",
}


def product_files() -> Iterator[Path]:
    for suffix in SUFFIXES:
        yield from (path for path in files_in(*PRODUCT, "templates", suffix=suffix) if "vendor" not in path.parts)


@pytest.mark.parametrize("what", FORBIDDEN)
def test_the_product_is_free_of_what_has_no_place_in_it(what: str) -> None:
    pattern, allowed = FORBIDDEN[what]
    found = {name_of(path) for path in product_files() if re.search(pattern, path.read_text(), re.MULTILINE)}
    assert found - set(allowed) == set()
    assert set(allowed) <= found, "an exception that is no longer needed"


def test_broad_excepts_stand_in_outermost_loops_only() -> None:
    found = {
        name_of(path)
        for path in files_in(*PRODUCT, suffix=".py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in {"Exception", "BaseException"})
    }
    assert found - set(BROAD_EXCEPT) == set()


def test_modules_are_domain_words() -> None:
    vague = {"utils", "util", "helpers", "common", "manager", "managers", "services", "misc", "base"}
    assert {name_of(path) for path in files_in(*PRODUCT, suffix=".py") if path.stem in vague} == set()


def test_no_test_code_in_the_product() -> None:
    wrong = r"\bunittest\b|\bpytest\b|sys\.argv\[0\].*test|PYTEST_"
    assert {name_of(path) for path in product_files() if re.search(wrong, path.read_text())} == set()
