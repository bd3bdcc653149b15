"""What is installed is what was looked at: every package pinned and hashed, nothing from elsewhere."""

import re

import pytest

from tests.repository.tree import ROOT

LOCKS = ("requirements.txt", "requirements-local.txt", "requirements-vault.txt", "requirements-dev.txt")
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(\[[a-z0-9, ._-]+\])?==([^\s;\\]+)( ; [^\\]+)? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def entries(lock: str) -> dict[str, list[str]]:
    """Package → its lines after the first; fails on a line that is neither a pin, a hash nor a comment."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in (ROOT / lock).read_text().splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if pin := PIN.match(line):
            current = found.setdefault(f"{pin[1]}=={pin[3]}", [])
        else:
            assert HASH.match(line), f"{lock}: {line!r}"
            current.append(line)
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_and_hashed(lock: str) -> None:
    assert entries(lock)
    assert [package for package, hashes in entries(lock).items() if not hashes] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_extras_are_pinned_with_their_package(lock: str) -> None:
    """Without them pip takes a package's wish for an extra as one without a pin as soon as a newer release is out."""
    pinned = {pin[1]: pin[2] or "" for line in (ROOT / lock).read_text().splitlines() if (pin := PIN.match(line))}
    asked = re.findall(r"^([a-z0-9._-]+)\[([a-z, ]+)\]", (ROOT / lock.replace(".txt", ".in")).read_text(), re.MULTILINE)
    for package, extras in asked:
        assert set(extras.split(",")) <= set(pinned[package].strip("[]").replace(" ", "").split(","))


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_an_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-e|--index|--extra-index|--find-links|--trusted-host|-i )", text, re.MULTILINE)


def test_each_lock_contains_the_one_before_it() -> None:
    production, local, vault, dev = (set(entries(lock)) for lock in LOCKS)
    assert production < local < dev
    assert production < vault < dev


def test_each_lock_is_compiled_by_make_lock() -> None:
    compiled = re.findall(r"^\t\$\(COMPILE\) (\S+)\.in -o (\S+)\.txt$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [f"{source}.txt" for source, _ in compiled] == [f"{lock}.txt" for _, lock in compiled] == list(LOCKS)


def test_the_portal_does_not_need_what_reads_the_vault() -> None:
    assert [package for lock in LOCKS[:2] for package in entries(lock) if package.startswith("azure-")] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_what_is_asked_for_is_locked(lock: str) -> None:
    locked = {package.split("==")[0] for package in entries(lock)}
    asked = (ROOT / lock.replace(".txt", ".in")).read_text()
    wanted = set(re.findall(r"^([a-z0-9][a-z0-9._-]*)", asked, re.MULTILINE))
    assert wanted - locked == set()


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_asked_for_has_its_reason_beside_it(lock: str) -> None:
    lines = (ROOT / lock.replace(".txt", ".in")).read_text().splitlines()
    asked = [line for line in lines if re.match(r"[a-z0-9]", line)]
    assert [line for line in asked if not re.search(r"# \S+ \S+", line)] == []
