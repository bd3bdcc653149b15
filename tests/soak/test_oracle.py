"""The oracle's own comparisons: each way in which a portal can be wrong is told from the others."""

from dataclasses import replace

from tests.soak.oracle import Findings, Ours, Theirs, compare

TENANT = "11111111-1111-1111-1111-111111111111"
THEIRS = Theirs("2026-11-26T10:00:00.1234567Z", "aa")
OURS = Ours("2026-11-26T10:00:00.1234567Z", "aa")


def found(
    theirs: dict[int, Theirs], ours: dict[int, Ours], aside: frozenset[str] = frozenset()
) -> dict[str, list[str]]:
    findings = Findings()
    compare(TENANT, theirs, ours, aside, findings)
    assert findings.compared == len(theirs)
    kinds = ("lost", "stale", "different", "ghosts", "not_aside")
    return {kind: what for kind in kinds if (what := getattr(findings, kind))}


def test_what_is_equal_is_not_found() -> None:
    assert found({1: THEIRS, 2: THEIRS}, {1: OURS, 2: OURS}) == {}


def test_an_incident_that_is_not_there_is_lost() -> None:
    assert found({1: THEIRS, 2: THEIRS}, {1: OURS}) == {"lost": [f"{TENANT}/2"]}


def test_an_incident_marked_as_gone_though_it_is_there_is_lost() -> None:
    assert found({1: THEIRS}, {1: replace(OURS, is_gone=True)}) == {"lost": [f"{TENANT}/1"]}


def test_an_earlier_version_is_stale_down_to_the_seventh_digit() -> None:
    ours = replace(OURS, updated="2026-11-26T10:00:00.123456Z")
    assert list(found({1: THEIRS}, {1: ours})) == ["stale"]


def test_other_bytes_of_the_same_time_are_different_and_not_stale() -> None:
    assert found({1: THEIRS}, {1: replace(OURS, digest="bb")}) == {"different": [f"{TENANT}/1"]}


def test_an_open_incident_nobody_has_is_a_ghost_and_one_marked_as_gone_is_not() -> None:
    assert found({}, {1: OURS}) == {"ghosts": [f"{TENANT}/1"]}
    assert found({}, {1: replace(OURS, is_gone=True), 2: replace(OURS, is_open=False)}) == {}


def test_a_poisoned_incident_is_stored_as_it_is_or_put_aside_with_its_bytes() -> None:
    poisoned = replace(THEIRS, way="deep")
    stub = replace(OURS, digest="", is_stub=True)
    assert found({1: poisoned}, {1: stub}, frozenset({"aa"})) == {}
    assert found({1: poisoned}, {1: OURS}) == {}
    assert found({1: poisoned}, {1: stub}, frozenset({"bb"})) == {"not_aside": [f"{TENANT}/1 (deep)"]}


def test_a_poisoned_incident_without_a_row_is_found_though_its_bytes_are_kept() -> None:
    assert found({1: replace(THEIRS, way="deep")}, {}, frozenset({"aa"})) == {"not_aside": [f"{TENANT}/1 (deep)"]}
