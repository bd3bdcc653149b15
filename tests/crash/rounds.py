"""Rounds of a crash: tenants that are behind, a worker that dies, another that takes over, and the comparison.

Contract of a round. Right after the kill, every incident up to each tenant's watermark is held in its last version.
When another worker has worked until nothing is left to do, each tenant's incidents, alerts and counts are the
sandbox's.
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.test import override_settings
from django.utils import timezone

from defender.times import is_later
from incidents import rollup
from incidents.models import Alert, Incident
from sandbox.cast import Tenant as TheirTenant
from sandbox.server import running
from sandbox.world import World
from tenants import scope, tokens
from tenants.models import Budget, SyncState
from tests.crash import child
from tests.crash.points import POINTS, Point
from tests.incidents.synced import assert_nothing_lost, held, ours, sync_due, without_context
from tests.own_database import database_url

PARTS = ("login", "xdr", "mde", "graph")
NAMES = ("Contoso", "Fabrikam", "Northwind")
# So many incidents make two pages in each tenant.
INCIDENTS = (102, 110)
# How long the tenants may take until nothing is left to do, in seconds; a lease is one of them.
QUIET_SECONDS = 30.0


@dataclass
class Figures:
    """What rounds have seen. Seconds are from the kill to the moment at which every tenant was complete again."""

    seed: int
    rounds: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    not_reached: int = 0
    tenants_compared: int = 0
    longest_seconds: float = 0.0


class Rounds:
    """A world, its tenants in the portal, and worker processes that die."""

    def __init__(self, world: World, url: str, seed: int) -> None:
        self.world, self.url = world, url
        self.chance = random.Random(f"{seed}:crash")
        self.pairs = [(ours(theirs), theirs) for theirs in world.tenants.values()]
        self.figures = Figures(seed)
        self._next = self._start()

    def all_points(self, times: int) -> Figures:
        """So many kills at each point, every other one in a first sync. Raises AssertionError where a round fails."""
        for time_ in range(times):
            for point in POINTS:
                self.round(point, first_sync=(time_ + POINTS.index(point)) % 2 == 0)
        return self.figures

    def round(self, point: Point, *, first_sync: bool) -> None:
        """One kill and everything after it."""
        self._fall_behind(first_sync=first_sync)
        began, process = timezone.now(), self._next
        status = child.die(process, point.name, self.chance.randint(1, point.at_most))
        killed = time.monotonic()
        self._next = self._start()
        if status not in (0, -signal.SIGKILL):
            raise AssertionError(f"{point.name}: the worker ended with status {status}")
        try:
            self.check_watermarks()
            self._work_until_quiet(began)
            self.check_everything()
        except AssertionError as wrong:
            raise AssertionError(
                f"seed {self.figures.seed}, round {self.figures.rounds}, {point.name}: {wrong}"
            ) from wrong
        self._count(point, status, time.monotonic() - killed)

    def close(self) -> None:
        """End the worker that waits for a round."""
        child.end(self._next)

    def _start(self) -> Any:
        return child.start(database=database_url(), sandbox=self.url)

    def _count(self, point: Point, status: int, seconds: float) -> None:
        figures = self.figures
        figures.rounds += 1
        figures.tenants_compared += len(self.pairs)
        figures.kills[point.name] += status == -signal.SIGKILL
        figures.not_reached += status == 0
        figures.longest_seconds = max(figures.longest_seconds, round(seconds, 2))

    def _fall_behind(self, *, first_sync: bool) -> None:
        """Every tenant is due, and in all but one much has changed; for a first sync the portal holds nothing."""
        for number, (_, theirs) in enumerate(self.pairs):
            if number != self.figures.rounds % len(self.pairs):
                self._change(theirs)
        tenants = [tenant.pk for tenant, _ in self.pairs]
        if first_sync:
            _forget_everything()
        with scope.operations():
            Budget.objects.filter(tenant__in=tenants).delete()
            due = timezone.now() - timedelta(seconds=1)
            SyncState.objects.filter(tenant__in=tenants).update(next_due_at=due, breaker_until=None)

    def _change(self, theirs: TheirTenant) -> None:
        for number in self.chance.sample(theirs.book.ids(), 101):
            self.world.change_incident(theirs, number, {"severity": self.chance.choice(("Low", "Medium", "High"))})
        self.world.new_incident(theirs)

    def _work_until_quiet(self, began: datetime) -> None:
        """Another worker, here, until every tenant has had a complete pass and nobody holds a lease."""
        until = time.monotonic() + QUIET_SECONDS
        while not self._is_quiet(began):
            assert time.monotonic() < until, f"not quiet after {QUIET_SECONDS:.0f} s: {self._states()}"
            if not sync_due():
                self._wait_for_lease()

    def _is_quiet(self, began: datetime) -> bool:
        states = self._states()
        return all(
            s["last_ok_at"] and s["last_ok_at"] >= began and not s["lease_until"] and not s["pass_kind"] for s in states
        )

    def _wait_for_lease(self) -> None:
        """Until the next lease of the dead worker ends, or the next tenant that is behind is due."""
        awaited = [s["lease_until"] or s["next_due_at"] for s in self._states()]
        left = (min(awaited) - timezone.now()).total_seconds()
        time.sleep(max(0.02, min(1.0, left + 0.01)))

    def _states(self) -> list[dict[str, Any]]:
        names = ("tenant_id", "last_ok_at", "lease_until", "pass_kind", "next_due_at", "last_error", "watermark_text")
        with scope.operations():
            return list(SyncState.objects.order_by("tenant_id").values(*names))

    def check_watermarks(self) -> None:
        """What a watermark promises is held."""
        marks = {state["tenant_id"]: state["watermark_text"] for state in self._states()}
        for tenant, theirs in self.pairs:
            mark, mine = marks[tenant.pk], held(tenant)
            for number, raw in theirs.book.truth().items() if mark else ():
                if not is_later(raw["lastUpdateTime"], mark):
                    assert number in mine, f"{tenant.name} says it has all up to {mark}, but not {number}"
                    assert without_context(mine[number]) == raw, (
                        f"{tenant.name} has an old {number}, its mark is {mark}"
                    )

    def check_everything(self) -> None:
        """Nothing is missing, old, or there twice."""
        marks = {state["tenant_id"]: state["watermark_text"] for state in self._states()}
        for tenant, theirs in self.pairs:
            assert_nothing_lost(tenant, theirs)
            newest = theirs.book.newest_first()[0].raw["lastUpdateTime"]
            assert marks[tenant.pk] == newest, f"{tenant.name}: the watermark is {marks[tenant.pk]}, not {newest}"
            with scope.tenant(tenant.pk):
                assert rollup.kept(tenant.pk) == rollup.counted(tenant.pk), f"{tenant.name}: counts"
                assert Incident.objects.count() == len(theirs.book.truth()), f"{tenant.name}: incidents"
                mine = Counter(Alert.objects.filter(gone_at=None).values_list("alert_id", "incident__number"))
            assert mine == _alerts_of(theirs), f"{tenant.name}: alerts"


def _alerts_of(theirs: TheirTenant) -> Counter[tuple[str, int]]:
    raws = theirs.book.truth().items()
    return Counter((alert["alertId"], number) for number, raw in raws for alert in raw["alerts"])


def _forget_everything() -> None:
    """As if no tenant had ever been read."""
    with connection.cursor() as cursor:
        tables = [model._meta.db_table for model in _content()]
        cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
    with scope.operations():
        fresh = {
            field.name: field.get_default() for field in SyncState._meta.fields if field.name not in ("id", "tenant")
        }
        SyncState.objects.update(**{**fresh, "lease_epoch": 1})


def _content() -> list[Any]:
    from django.apps import apps

    return list(apps.get_app_config("incidents").get_models())


@contextmanager
def rounds(seed: int) -> Iterator[Rounds]:
    """Ready to begin, on the database that Django is connected to. Its transactions have to be committed ones."""
    world = World(seed=seed, tenants=NAMES, incidents=INCIDENTS, quotas=False)
    with running(world) as server, portal_at(server.url):
        made = Rounds(world, server.url, seed)
        try:
            yield made
        finally:
            made.close()


@contextmanager
def portal_at(url: str) -> Iterator[None]:
    """This process is a worker against the sandbox too, with the same short lease."""
    values: dict[str, Any] = {
        "IS_SANDBOX": True,
        "MICROSOFT_CLOUD": "sandbox",
        "SANDBOX_URLS": dict.fromkeys(PARTS, url),
        "ENTRA_CREDENTIAL": {"ENTRA_CLIENT_SECRET": "sandbox-secret"},
        "SYNC_LEASE": timedelta(seconds=child.LEASE_SECONDS),
        "SYNC_FIRST_WAIT": timedelta(seconds=child.FIRST_WAIT_SECONDS),
        "TRIAGE_LOOK": timedelta(seconds=child.FIRST_WAIT_SECONDS),
    }
    with override_settings(**values):
        tokens.forget_everything()
        try:
            yield
        finally:
            tokens.forget_everything()
