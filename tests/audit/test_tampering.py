"""An insider edits the log: a thousand random acts, every one found. What the chain alone cannot find is named."""

import random
from collections import Counter
from collections.abc import Iterator
from uuid import UUID

import pytest

from audit.models import AuditEvent
from audit.record import Actor, Event, record
from audit.verify import Finding, verify
from tests.audit.tampering import ACTS, insider, undone

pytestmark = pytest.mark.short

SEED = 1707
TIMES = 1_000
ROWS = 12
CHAIN_ALONE = [name for name, act in ACTS.items() if not act.needs_anchor]


@pytest.fixture
def head(db: None) -> Iterator[dict[int, str]]:
    """A log with some rows, an insider who can do anything to it, and an anchor of its newest row."""
    chance = random.Random(SEED)
    for number in range(ROWS):
        actor = Actor(f"person {number % 5}", f"request{number}", f"192.0.2.{number}")
        tenant = UUID(int=number) if number % 3 else None
        details = {"n": chance.getrandbits(20)}
        record(Event(by=actor, action=f"act {number % 4}", tenant=tenant, subject=f"thing {number}", details=details))
    with insider():
        yield dict(AuditEvent.objects.filter(id=ROWS).values_list("id", "hash"))


def tampered(name: str, chance: random.Random, anchors: dict[int, str] | None) -> tuple[int, Finding]:
    """(first row that is no longer what it was, what the check says of the log)."""
    with undone():
        first = ACTS[name].do(chance, ROWS)
        finding = verify(anchors=anchors)
    return first, finding


@pytest.mark.timeout(600)  # some seconds where the machine is its own
def test_a_thousand_random_acts_are_all_found_r1(head: dict[int, str]) -> None:
    chance = random.Random(SEED)
    done, missed, misplaced = Counter[str](), [], []
    for number in range(TIMES):
        name = chance.choice(list(ACTS))
        first, finding = tampered(name, chance, head)
        done[name] += 1
        if finding.bad is None:
            missed.append((number, name, first))
        elif not ACTS[name].needs_anchor and finding.bad != first:
            misplaced.append((number, name, first, finding.bad, finding.why))
    assert missed == []
    assert misplaced == []
    assert min(done.values()) > TIMES / len(ACTS) / 2
    assert verify(anchors=head).bad is None, "the tampering was undone, so nothing may be found now"


@pytest.mark.parametrize("name", CHAIN_ALONE)
def test_the_chain_alone_finds_all_but_two_kinds(head: dict[int, str], name: str) -> None:
    chance = random.Random(name)
    for _ in range(20):
        first, finding = tampered(name, chance, None)
        assert finding.bad == first, finding.why


@pytest.mark.parametrize("name", sorted(set(ACTS) - set(CHAIN_ALONE)))
def test_a_cut_end_and_a_chain_made_anew_are_found_with_an_anchor_and_only_with_one(
    head: dict[int, str], name: str
) -> None:
    for seed in range(20):
        _, alone = tampered(name, random.Random(seed), None)
        assert alone.bad is None, "the documents say that the chain alone cannot tell"
        first, anchored = tampered(name, random.Random(seed), head)
        assert anchored.bad is not None
        assert first <= anchored.bad <= ROWS


def test_each_act_really_changes_the_log(head: dict[int, str]) -> None:
    def table() -> list[tuple[object, ...]]:
        return list(AuditEvent.objects.order_by("id").values_list())

    before = table()
    for name, act in ACTS.items():
        with undone():
            act.do(random.Random(SEED), ROWS)
            assert table() != before, name
        assert table() == before, name
