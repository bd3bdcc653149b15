"""security/asvs.yml answers for every requirement of ASVS 5.0 at levels 1 and 2, and what it names exists."""

import ast
import re
from collections import Counter
from functools import cache
from typing import Any

import pytest
import yaml

from tests.repository.test_docs import anchors
from tests.repository.tree import ROOT, parsed

ENTRIES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "security" / "asvs.yml").read_text())
KINDS = ("tests", "doc", "operator", "none", "missing")
# Of ASVS 5.0.0, as published: how many requirements each level adds, and how many each chapter has at both together.
LEVELS = {1: 70, 2: 183}
CHAPTERS = {1: 27, 2: 11, 3: 19, 4: 10, 5: 9, 6: 35, 7: 18, 8: 7, 9: 7, 10: 29, 11: 14, 12: 9, 13: 13, 14: 9, 15: 13}
CHAPTERS |= {16: 16, 17: 7}
# Whoever closes a gap lowers this number; nobody raises it.
MISSING = 3


def test_every_requirement_of_both_levels_is_there_and_no_other() -> None:
    assert Counter(entry["level"] for entry in ENTRIES.values()) == LEVELS
    assert all(re.fullmatch(r"V\d+\.\d+\.\d+", name) for name in ENTRIES)
    assert Counter(int(name[1:].split(".")[0]) for name in ENTRIES) == CHAPTERS


def test_no_requirement_stands_there_twice() -> None:
    """YAML would silently take the last."""
    names = re.findall(r"^(V[\d.]+):", (ROOT / "security" / "asvs.yml").read_text(), re.MULTILINE)
    assert len(names) == len(set(names)) == len(ENTRIES)


@pytest.mark.parametrize("name", ENTRIES)
def test_each_has_exactly_one_answer(name: str) -> None:
    entry = ENTRIES[name]
    kinds = set(entry) - {"level"}
    assert len(kinds) == 1 and kinds <= set(KINDS), kinds
    (kind,) = kinds
    assert entry[kind]
    if kind in {"operator", "none", "missing"}:
        assert re.fullmatch(r"[A-Z][^\n]{15,}\.", entry[kind]), "a sentence"


def named_tests() -> list[str]:
    return sorted({test for entry in ENTRIES.values() for test in entry.get("tests", [])})


@pytest.mark.parametrize("test", named_tests())
def test_every_test_that_is_named_exists(test: str) -> None:
    path, _, name = test.partition("::")
    assert (ROOT / path).is_file(), "there is no such file"
    assert name in functions(path), "there is no such test in it"


@cache
def functions(path: str) -> set[str]:
    """The tests that pytest collects from a file."""
    found = {node.name for node in parsed(ROOT / path).body if isinstance(node, ast.FunctionDef)}
    return {name for name in found if name.startswith("test_")}


@pytest.mark.parametrize("doc", sorted({entry["doc"] for entry in ENTRIES.values() if "doc" in entry}))
def test_every_document_that_is_named_exists(doc: str) -> None:
    path, _, anchor = doc.partition("#")
    assert (ROOT / path).is_file()
    assert not anchor or anchor in anchors(ROOT / path)


def test_what_is_missing_is_counted_and_only_becomes_less() -> None:
    missing = {name: entry["missing"] for name, entry in ENTRIES.items() if "missing" in entry}
    print(f"{len(missing)} of {len(ENTRIES)} missing: {', '.join(sorted(missing))}")  # noqa: T201
    assert len(missing) <= MISSING, "a new gap: close it, or say in the threat model why it is one"
    assert len(missing) == MISSING, "fewer gaps than before: lower MISSING"


def test_the_threat_model_says_how_many_are_missing() -> None:
    text = (ROOT / "docs" / "threat-model.md").read_text()
    assert f"{MISSING} of {len(ENTRIES)} requirements" in text
