"""Pages of damaged and sound incidents through the store, as a worker, and what must hold after each."""

import random
import resource
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from defender.decoding import MAX_INCIDENT_BYTES
from defender.splitting import split_page
from defender.wire import PARSER_VERSION, content_hash
from incidents import daily, rollup
from incidents.models import Incident, IncidentRaw, Quarantine
from incidents.store import store_page
from tenants import scope
from tenants.models import Tenant
from tests.conftest import as_worker
from tests.defender.payloads import page as page_of
from tests.hostile.payloads import NAMES, Payload, payload, sound

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
# A tenant's pages have their neighbours from so many sound incidents, most of them known from earlier pages.
NEIGHBOURS = 150
MIB = 1024 * 1024
# Pages whose body is also taken apart as the client does, one in so many.
SPLIT_EVERY = 10
# Pages that are sent a second time, one in so many: nothing of them may be new.
AGAIN_EVERY = 7
# Memory is compared with what it is after so many damaged incidents, when each way, also the largest, was there once.
WARM_AFTER = len(NAMES) + 3


class Misfiled(AssertionError):
    """A page after which something does not hold; the text says which page, which payload and what."""


@dataclass
class Figures:
    """What a trial has seen. Memory in MiB: how far it grew after the first pages, and the highest it ever was."""

    seed: int
    payloads: int = 0
    pages: int = 0
    neighbours: int = 0
    read: int = 0
    aside: int = 0
    stubs: int = 0
    grown_mib: float = 0.0
    peak_mib: float = 0.0
    reasons: Counter[str] = field(default_factory=Counter)
    ways: Counter[str] = field(default_factory=Counter)


class Trial:
    """One tenant and what it must hold."""

    def __init__(self, tenant: Tenant, seed: int) -> None:
        self.tenant = tenant
        self.chance = random.Random(f"{seed}:pages")
        self.figures = Figures(seed)
        self.versions: Counter[int] = Counter()
        self._warm = 0.0

    def run(self, payloads: int) -> Figures:
        """Store so many damaged incidents in pages of one to three. Raises Misfiled."""
        waiting = (payload(self.figures.seed, number) for number in range(payloads))
        with as_worker():
            while self._page(self._next(waiting)):
                self._measure()
            with scope.tenant(self.tenant.pk):
                kept, counted = rollup.kept(self.tenant.pk), rollup.counted(self.tenant.pk)
                days = daily.kept(self.tenant.pk) == daily.counted(self.tenant.pk)
                self.figures.stubs = Incident.objects.filter(is_stub=True).count()
        _must(kept == counted, "the counts as kept are not those of the incidents")
        _must(days, "the table of days is not that of the incidents")
        self.figures.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return self.figures

    def _next(self, waiting: Iterator[Payload]) -> list[Payload]:
        wanted = self.chance.choice((1, 2, 3, 3, 3, 3))
        return list(islice(waiting, wanted))

    def _page(self, damaged: list[Payload]) -> bool:
        """Store the next page; False where there is nothing left to store."""
        if not damaged:
            return False
        numbers = self.chance.sample(range(1, NEIGHBOURS + 1), self.chance.choice((20, 20, 20, 30, 100)))
        changed = set(numbers[: self.chance.randint(3, 8)])
        self.versions.update(changed)
        neighbours = {number: sound(number, self.versions[number]) for number in numbers}
        items = list(neighbours.values())
        for one in damaged:
            items.insert(self.chance.randint(0, len(items)), one.raw)
        try:
            self._store(items, damaged, neighbours)
        except Misfiled:
            raise
        except Exception as crash:
            raise Misfiled(f"{_named(damaged)}: {type(crash).__name__}: {str(crash)[:500]}") from crash
        self._count(damaged, neighbours)
        return True

    def _store(self, items: list[bytes], damaged: list[Payload], neighbours: dict[int, bytes]) -> None:
        result = store_page(tenant=self.tenant, items=items, now=NOW)
        _must(result.seen == len(items), f"{_named(damaged)}: {result.seen} of {len(items)} entries were seen")
        with scope.tenant(self.tenant.pk):
            self._check_neighbours(damaged, neighbours)
            aside = self._check_damaged(damaged)
        _must(result.quarantined == aside, f"{_named(damaged)}: {result.quarantined} are counted as aside, not {aside}")
        if self.figures.pages % AGAIN_EVERY == 0:
            again = store_page(tenant=self.tenant, items=items, now=NOW)
            brought = (again.new, again.changed, again.quarantined)
            _must(brought == (0, 0, 0), f"{_named(damaged)}: the same page again brought {brought}")
        if self.figures.pages % SPLIT_EVERY == 0 and all(one.must == "read" for one in damaged):
            split = split_page(page_of(*items)).items
            _must(split == items, f"{_named(damaged)}: the page is not split into what it was made of")

    def _check_neighbours(self, damaged: list[Payload], neighbours: dict[int, bytes]) -> None:
        found = Incident.objects.filter(number__in=neighbours, is_stub=False).values_list("number", "content_hash")
        held = {number: bytes(digest) for number, digest in found}
        wanted = {number: content_hash(raw) for number, raw in neighbours.items()}
        lost = sorted(number for number in wanted if held.get(number) != wanted[number])
        _must(not lost, f"{_named(damaged)}: the sound neighbours {lost} were not saved")

    def _check_damaged(self, damaged: list[Payload]) -> int:
        """How many were put aside; each is in exactly one place, with its bytes, and in the right one."""
        digests = [content_hash(one.raw) for one in damaged]
        raws = IncidentRaw.objects.filter(incident__content_hash__in=digests, incident__is_stub=False)
        bodies = [bytes(body) for (body,) in raws.values_list("body")]
        quarantined = {bytes(row.content_hash): row for row in Quarantine.objects.filter(content_hash__in=digests)}
        for one, digest in zip(damaged, digests, strict=True):
            aside, times = quarantined.get(digest), bodies.count(one.raw)
            _must(times + (aside is not None) == 1, f"{_named([one])}: kept {times} times, put aside: {aside}")
            _must(one.must != "read" or aside is None, f"{_named([one])}: put aside ({aside}), though it can be read")
            _must(one.must != "aside" or aside is not None, f"{_named([one])}: read, though it is no incident")
            if aside is not None:
                self._check_aside(one, aside)
        return len(quarantined)

    def _check_aside(self, one: Payload, aside: Quarantine) -> None:
        _must(bytes(aside.body) == one.raw[:MAX_INCIDENT_BYTES], f"{_named([one])}: the bytes put aside are others")
        _must(aside.size == len(one.raw), f"{_named([one])}: a size of {aside.size}")
        _must(aside.parser_version == PARSER_VERSION, f"{_named([one])}: put aside by no parser")
        _must(aside.reason.replace("-", "_").isidentifier(), f"{_named([one])}: the reason {aside.reason!r}")
        _must(aside.reason != "not-storable", f"{_named([one])}: it got as far as the database, which refused it")
        _must(aside.sentence.endswith("."), f"{_named([one])}: the sentence {aside.sentence!r}")
        if aside.number is not None:
            _must(
                Incident.objects.filter(number=aside.number).exists(),
                f"{_named([one])}: nobody sees number {aside.number}",
            )
        self.figures.reasons[aside.reason] += 1

    def _count(self, damaged: list[Payload], neighbours: dict[int, bytes]) -> None:
        figures = self.figures
        figures.pages += 1
        figures.payloads += len(damaged)
        figures.neighbours += len(neighbours)
        figures.ways.update(one.way for one in damaged)
        figures.aside = figures.reasons.total()
        figures.read = figures.payloads - figures.aside

    def _measure(self) -> None:
        """After a page, when nothing of it is needed any more."""
        memory = memory_mib()
        if self.figures.payloads <= WARM_AFTER:
            self._warm = max(self._warm, memory)
        self.figures.grown_mib = max(self.figures.grown_mib, memory - self._warm)


def memory_mib() -> float:
    """How much memory this process has in use now, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MIB


def _named(damaged: list[Payload]) -> str:
    return ", ".join(f"payload {one.number} ({one.way}, {len(one.raw)} bytes)" for one in damaged)


def _must(holds: bool, sentence: str) -> None:
    if not holds:
        raise Misfiled(sentence)
