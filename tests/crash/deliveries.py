"""Rounds of a crash while decisions are carried to Microsoft: a worker dies, another one goes on, and all is counted.

Contract of a round. Analysts have decided about many incidents of several tenants, a comment with each decision; some
answers to writes are lost as well. When another worker has worked until nothing is left to do, every change has arrived
once: each comment stands at the sandbox exactly once, each incident has what was decided last, and no change is in any
other state than sent or confirmed.
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from incidents.models import Delivery, Intent
from incidents.signing import carries
from sandbox.cast import Tenant as TheirTenant
from sandbox.server import running
from sandbox.world import World
from tenants import scope
from tenants.models import Budget, Tenant
from tests.cast import make_person
from tests.crash import child
from tests.crash.points import DELIVERY_POINTS, Point
from tests.crash.rounds import NAMES, QUIET_SECONDS, Figures, portal_at
from tests.incidents.deciding import carry, decide
from tests.incidents.synced import ours, sync
from tests.own_database import database_url

WORDS = ("active", "in-progress", "resolved")
# So many incidents are decided about per tenant and round.
DECIDED = 3


class Deliveries:
    """A world, its tenants in the portal, an analyst, and worker processes that die."""

    def __init__(self, world: World, url: str, seed: int) -> None:
        self.world, self.url = world, url
        self.chance = random.Random(f"{seed}:deliveries")
        self.pairs = [(ours(theirs), theirs) for theirs in world.tenants.values()]
        for tenant, _ in self.pairs:
            sync(tenant)
        self.analyst: User = make_person("analyst", *((tenant, Role.ANALYST) for tenant, _ in self.pairs))
        self.wanted: dict[tuple[int, int], str] = {}
        self.figures = Figures(seed)
        self._next = self._start()

    def all_points(self, times: int) -> Figures:
        """So many kills at each point. Raises AssertionError where a round fails."""
        for _ in range(times):
            for point in DELIVERY_POINTS:
                self.round(point)
        return self.figures

    def round(self, point: Point) -> None:
        """One kill and everything after it."""
        self._decide()
        process = self._next
        status = child.die(process, point.name, self.chance.randint(1, point.at_most))
        killed = time.monotonic()
        self._next = self._start()
        if status not in (0, -signal.SIGKILL):
            raise AssertionError(f"{point.name}: the worker ended with status {status}")
        try:
            self._carry_until_quiet()
            self.check()
        except AssertionError as wrong:
            raise AssertionError(f"seed {self.figures.seed}, {self.figures.rounds}, {point.name}: {wrong}") from wrong
        figures = self.figures
        figures.rounds += 1
        figures.tenants_compared += len(self.pairs)
        figures.kills[point.name] += status == -signal.SIGKILL
        figures.not_reached += status == 0
        figures.longest_seconds = max(figures.longest_seconds, round(time.monotonic() - killed, 2))

    def close(self) -> None:
        """End the worker that waits for a round."""
        child.end(self._next)

    def _start(self) -> Any:
        return child.start(database=database_url(), sandbox=self.url)

    def _decide(self) -> None:
        """Two decisions about each of some incidents, so that their order matters; a write in ten loses its answer."""
        self.world.faults.clear()
        self.world.faults.add(None, {"kind": "cut", "on": ["patch"], "probability": 0.1})
        with scope.operations():
            Budget.objects.all().delete()
        for tenant, theirs in self.pairs:
            numbers = self.chance.sample(_open(theirs), DECIDED)
            for turn in range(2):
                word = self.chance.choice(WORDS)
                key = f"{self.figures.rounds}-{tenant.slug}-{turn}"
                done = decide(
                    self.analyst, *((tenant.slug, number) for number in numbers), key=key, status=word, comment=key
                )
                assert not done.refused, done.refused
                self.wanted |= {(tenant.pk, number): word for number in numbers}

    def _carry_until_quiet(self) -> None:
        until = time.monotonic() + QUIET_SECONDS
        while True:
            due = [moment for tenant, _ in self.pairs if (moment := _next_step(tenant))]
            if not due:
                return
            assert time.monotonic() < until, f"not quiet after {QUIET_SECONDS:.0f} s"
            if not carry():
                time.sleep(max(0.02, min(1.0, (min(due) - timezone.now()).total_seconds() + 0.01)))

    def check(self) -> None:
        """Every change once, and the last word stands."""
        for tenant, theirs in self.pairs:
            truth = theirs.book.truth()
            with scope.tenant(tenant.pk):
                made = list(Intent.objects.all())
            states = Counter(intent.state for intent in made)
            assert set(states) <= {"sent", "confirmed"}, f"{tenant.name}: {states}"
            for intent in made:
                if intent.mark:
                    texts = [one["comment"] for one in truth[intent.number].get("comments") or []]
                    found = sum(carries(text, intent.mark) for text in texts)
                    assert found == 1, f"{tenant.name} {intent.number}: a comment stands there {found} times"
        for (key, number), word in self.wanted.items():
            theirs = next(theirs for tenant, theirs in self.pairs if tenant.pk == key)
            now = theirs.book.truth()[number]["status"]
            assert now.lower() == word.replace("-", ""), f"{theirs.name} {number}: {now}, not {word}"


def _open(theirs: TheirTenant) -> list[int]:
    return [number for number, raw in theirs.book.truth().items() if raw["status"] != "Redirected"]


def _next_step(tenant: Tenant) -> datetime | None:
    """When the next worker can do something for the tenant; None where nothing is on its way."""
    with scope.tenant(tenant.pk):
        waiting = Intent.objects.filter(state__in=["queued", "sending", "uncertain", "held"])
        dates = list(waiting.values_list("due_at", flat=True))
        held = Delivery.objects.filter(tenant=tenant).values_list("lease_until", flat=True).first()
    if not dates and held is None:
        return None
    return max([*([min(date for date in dates if date)] if dates else []), *([held] if held else [])])


@contextmanager
def deliveries(seed: int) -> Iterator[Deliveries]:
    """Ready to begin, on the database that Django is connected to. Its transactions have to be committed ones."""
    world = World(seed=seed, tenants=NAMES, incidents=(30, 40), quotas=False)
    with running(world) as server, portal_at(server.url):
        made = Deliveries(world, server.url, seed)
        try:
            yield made
        finally:
            made.close()
