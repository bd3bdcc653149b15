"""Who the servers run as: never root, whatever root is allowed to do, and nothing outside the folder is opened."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.account import Account
from embedded.places import places
from tests.embedded.conftest import Holders, processes, said

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can show what happens to root")
ROOTS_OWN = 0o700
NOBODY = 65534
# An ordinary user, but one that can read the Python of this run, which may be installed below /root.
AS_NOBODY = Account(NOBODY, NOBODY, "dac_read_search").command([], at_parents_death="TERM")


def uids(data_dir: Path) -> dict[str, int]:
    """The user id of each server process (not the supervisor's), by command line."""
    return {
        line: Path(f"/proc/{pid}").stat().st_uid
        for pid, line in processes(data_dir).items()
        if "-m embedded" not in line
    }


def all_uids(data_dir: Path) -> set[int]:
    """Real, effective, saved and file-system user ids of every server process."""
    found = set()
    for pid, line in processes(data_dir).items():
        if "-m embedded" not in line:
            status = Path(f"/proc/{pid}/status").read_text()
            found |= {int(word) for word in status.split("Uid:")[1].split("\n")[0].split()}
    return found


def without(*capabilities: str) -> tuple[str, ...]:
    """A root that has lost some capabilities, as in a container."""
    cut = ",".join(f"-{name}" for name in capabilities)
    return ("setpriv", f"--bounding-set={cut}", f"--inh-caps={cut}", "--")


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="portal-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@as_root
def test_root_never_runs_a_server(holders: Holders, data_dir: Path) -> None:
    data_dir.parent.chmod(ROOTS_OWN)
    before = [folder.stat().st_mode for folder in data_dir.parents]
    holders.hold()
    assert len(uids(data_dir)) >= 2
    assert 0 not in all_uids(data_dir)
    assert [folder.stat().st_mode for folder in data_dir.parents] == before


@as_root
@pytest.mark.parametrize(
    "lost",
    [("dac_read_search",), ("dac_read_search", "setpcap"), ("dac_read_search", "dac_override", "fowner", "setpcap")],
)
def test_root_with_fewer_capabilities_still_runs_no_server(
    holders: Holders, data_dir: Path, lost: tuple[str, ...]
) -> None:
    holders.hold(prefix=without(*lost))
    elsewhere = places(data_dir).short / "postgres"
    assert elsewhere.exists() == ("setpcap" in lost)
    running = processes(data_dir) | processes(places(data_dir).short)
    owners = {Path(f"/proc/{pid}").stat().st_uid for pid, line in running.items() if "-m embedded" not in line}
    assert len(running) >= 3
    assert 0 not in owners


@as_root
def test_root_that_may_not_become_another_user_is_told_so(holders: Holders) -> None:
    assert "Run this as an ordinary user" in said(holders.start(prefix=without("setuid", "setgid")))


@as_root
def test_an_ordinary_user_runs_its_own_servers(holders: Holders, open_folder: Path) -> None:
    os.chown(open_folder, NOBODY, NOBODY)
    holders.data_dir = open_folder / "data"
    holders.hold(prefix=AS_NOBODY)
    assert set(uids(holders.data_dir).values()) == {NOBODY}
    assert (open_folder / "data").stat().st_uid == NOBODY


@as_root
def test_a_folder_of_another_user_is_refused_with_a_sentence(holders: Holders, open_folder: Path) -> None:
    holders.data_dir = open_folder / "data"
    holders.data_dir.mkdir(mode=0o700)
    assert "belongs to another user" in said(holders.start(prefix=AS_NOBODY))
