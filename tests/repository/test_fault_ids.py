"""Every known fault of systems like this has a test that carries its id, or a reason why it has none."""

import re

from tests.repository.tree import ROOT

# SYNC-F1 to SYNC-F36: faults that the sync must survive; to SYNC-F43: those of writing back. F-01 to F-63: what users
# of comparable products reported.
SYNC, REPORTED = range(1, 44), range(1, 64)
NO_TEST_OF_SYNC = {32: "a full disk cannot be made here without a file system of its own"}
NO_TEST_OF_REPORTED = {
    1: "about paging at Microsoft Graph, which the portal does not use for incidents",
    4: "about Microsoft Graph's largest page",
    20: "alerts without an incident: not read by design",
    25: "about notification rules, which do not exist yet",
    27: "about a header of Microsoft Graph",
    41: "about advanced hunting, which does not exist yet",
    42: "about fixed sleeps: no worker sleeps to please Microsoft, see the buckets",
    49: "about refresh tokens of people; the portal is app-only",
    53: "about excluding tenants, which the portal does by disconnecting them",
    55: "about listing a partner's customers, which the portal does not do: staff name them",
}


def carried() -> tuple[set[int], set[int]]:
    """Ids in names of tests: ``test_sync_f9_…`` is SYNC-F9, ``test_f09_…`` is F-09; several may follow one another."""
    sync, reported = set[int](), set[int]()
    for path in (ROOT / "tests").rglob("test_*.py"):
        for name in re.findall(r"def (test_\w+)", path.read_text()):
            kind = reported
            for word in name.split("_")[1:]:
                if word == "sync":
                    kind = sync
                elif found := re.fullmatch(r"f(\d+)", word):
                    kind.add(int(found[1]))
                else:
                    kind = reported
    return sync, reported


def test_every_fault_of_the_sync_has_a_test_or_a_reason() -> None:
    sync, _ = carried()
    assert set(SYNC) - sync == set(NO_TEST_OF_SYNC)


def test_every_reported_failure_has_a_test_or_a_reason() -> None:
    _, reported = carried()
    assert set(REPORTED) - reported == set(NO_TEST_OF_REPORTED)
