"""One version of Python and one of the portal, wherever they are named."""

import re
import tomllib

from tests.repository.tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def text(name: str) -> str:
    return (ROOT / name).read_text()


def oldest_python() -> str:
    found = re.fullmatch(r">=(3\.\d+)", PROJECT["project"]["requires-python"])
    assert found
    return found[1]


def test_the_oldest_python_is_the_same_everywhere() -> None:
    oldest = oldest_python()
    minor = oldest.split(".")[1]
    assert PROJECT["tool"]["ruff"]["target-version"] == f"py3{minor}"
    assert PROJECT["tool"]["mypy"]["python_version"] == oldest
    assert f"--python-version {oldest}" in text("Makefile")
    assert f"sys.version_info < (3, {minor})" in text("bin/bootstrap")
    assert f"Python {oldest}" in text("README.md")


def test_the_image_runs_the_python_that_the_tests_run() -> None:
    bases = re.findall(r"python:(3\.\d+)-slim", text("Dockerfile"))
    assert bases
    assert set(bases) == {oldest_python()}


def test_the_changelog_begins_with_the_version_of_the_project() -> None:
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", text("CHANGELOG.md"), re.MULTILINE)
    assert versions[0] == PROJECT["project"]["version"]


def test_the_image_is_named_after_the_version_of_the_project() -> None:
    assert f"defender-portal:{PROJECT['project']['version']}" in text("compose.yaml")


def test_the_licence_is_the_one_that_the_project_names() -> None:
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License" in text("LICENSE")
    assert "Version 2.0, January 2004" in text("LICENSE")


def test_the_readme_names_every_chore_it_recommends() -> None:
    chores = set(re.findall(r"^([a-z-]+):.*## ", text("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text("README.md") + text("CONTRIBUTING.md"), re.MULTILINE))
    assert {"demo", "test"} <= named <= chores
