"""Arrows point down and never back: incidents → tenants → accounts → audit; all but audit → defender."""

from collections.abc import Iterator

import pytest

from tests.repository.production import environment, run
from tests.repository.tree import FOR_TRIALS, PACKAGES, ROOT, files_in, imports_of, name_of

# What each package may import of the others. `demo` and `tests` may import everything.
MAY_IMPORT: dict[str, set[str]] = {
    "defender": set(),
    "audit": set(),
    "accounts": {"audit", "defender"},  # sign-in is a talk with Entra ID
    "tenants": {"accounts", "audit", "defender"},
    "incidents": {"tenants", "accounts", "audit", "defender"},
    "api": {"incidents", "tenants", "accounts", "audit", "defender"},
    "sandbox": set(),
    "embedded": set(),
    # Wiring may know every app; nobody below may know the wiring.
    "portal": {"api", "incidents", "tenants", "accounts", "audit", "defender", "embedded"},
}
# Wiring that the arrows do not cover, each with its reason.
ONLY_IN = {
    "embedded": ("portal/local.py", "portal/start.py"),  # the local setting finds its servers there
}


def own_imports(package: str) -> Iterator[tuple[str, str]]:
    """(file:line, imported package of this repository) for one package."""
    for path in files_in(package, suffix=".py"):
        for line, dotted in imports_of(path):
            top = dotted.split(".")[0]
            if top in PACKAGES and top != package:
                yield f"{name_of(path)}:{line}", top


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_stands_below_it(package: str) -> None:
    wrong = [f"{where} imports {top}" for where, top in own_imports(package) if top not in MAY_IMPORT[package]]
    assert wrong == []


def test_only_the_wiring_named_here_imports_embedded_servers() -> None:
    wrong = [
        where for where, top in own_imports("portal") if top in ONLY_IN and where.split(":")[0] not in ONLY_IN[top]
    ]
    assert wrong == []


def test_embedded_servers_are_imported_inside_functions_only() -> None:
    """Production images do not contain them, so importing the portal must not need them."""
    from tests.repository.tree import parsed

    for path in ONLY_IN["embedded"]:
        top_level = [ast_name for node in parsed(ROOT / path).body for ast_name in _imported(node)]
        assert "embedded" not in top_level, path


def test_the_packages_that_read_a_vault_are_imported_by_one_module_and_when_it_is_used_only() -> None:
    importers = {
        name_of(path)
        for path in files_in(*PACKAGES, suffix=".py")
        if path.relative_to(ROOT).parts[0] != "tests"
        for _, dotted in imports_of(path)
        if dotted.split(".")[0] == "azure"
    }
    assert importers == {"defender/vault.py"}
    program = "import sys; sys.modules['azure'] = None; import defender.vault; print(sorted(sys.modules))"
    done = run("-c", program, env=environment())
    assert "'defender.vault'" in done.stdout, done.stderr


@pytest.mark.parametrize("package", ["defender", "sandbox", "embedded"])
def test_some_packages_know_no_django(package: str) -> None:
    wrong = [
        f"{name_of(path)}:{line} imports {dotted}"
        for path in files_in(package, suffix=".py")
        for line, dotted in imports_of(path)
        if dotted.split(".")[0] in {"django", "celery"}
    ]
    assert wrong == []


def test_every_package_of_the_checkout_has_its_row_here() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert found == set(MAY_IMPORT) | {"demo", "tests"}
    assert set(FOR_TRIALS) <= found


def _imported(node: object) -> list[str]:
    import ast

    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [(node.module or "").split(".")[0]]
    return []
