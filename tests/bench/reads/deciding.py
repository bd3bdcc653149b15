"""A decision over a hundred incidents of ten tenants: how long until it is accepted and shown as queued."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any
from uuid import uuid4

from django.utils import timezone

from audit.record import Actor
from incidents import triage
from incidents.models import Incident, IntentState
from incidents.pending import pending_for
from incidents.triage import Decision, Target
from tenants import scope
from tests.bench.agreement import Wrong
from tests.bench.measuring import Goal
from tests.bench.reads.people import Reader
from tests.bench.reads.sampling import in_turns

TENANTS = 10
EACH = 10
ASKS = 5


def run(readers: Mapping[int, Sequence[Reader]], *, rounds: int) -> tuple[list[Goal], dict[str, Any]]:
    """Each decision is taken back, so that the next finds the incidents as they were. Raises Wrong."""
    reader = readers[max(readers)][0]
    chosen = incidents_of(reader)
    found = in_turns({"decision over 100 incidents": lambda: _spent(reader, chosen)}, rounds=rounds)
    medians = found.medians("decision over 100 incidents")
    goal = Goal("100 incidents of 10 tenants decided, median in ms", medians, 150, at_most=True)
    return [goal], found.told()


def incidents_of(reader: Reader) -> list[tuple[int, Target]]:
    """(key, target) of ten open incidents of each of ten tenants. Raises Wrong where there are not as many."""
    with scope.person(reader.user):
        rows = Incident.objects.filter(tenant_id__in=reader.tenants[: 10 * TENANTS], is_open=True, redirect_number=None)
        keys = rows.order_by("tenant_id", "pk").values_list("tenant_id", "tenant__slug", "pk", "number")
        groups = [list(group)[:EACH] for _, group in groupby(keys, key=lambda row: row[0])]
    full = [group for group in groups if len(group) == EACH][:TENANTS]
    if len(full) < TENANTS:
        raise Wrong(f"{reader.user} has no {TENANTS} tenants with {EACH} open incidents each.")
    return [(key, Target(slug, number)) for group in full for _, slug, key, number in group]


def _spent(reader: Reader, chosen: Sequence[tuple[int, Target]]) -> list[float]:
    return [_one(reader, chosen) for _ in range(ASKS)]


def _one(reader: Reader, chosen: Sequence[tuple[int, Target]]) -> float:
    by, keys = Actor(str(reader.user)), [key for key, _ in chosen]
    decision = Decision(add_tags=(f"bench-{uuid4().hex[:8]}",))
    began = time.perf_counter()
    with scope.person(reader.user):
        bulk = triage.decide(
            user=reader.user, by=by, targets=[target for _, target in chosen], decision=decision,
            key=uuid4().hex, now=timezone.now(),
        )  # fmt: skip
    with scope.person(reader.user):
        pending = pending_for(keys)
    spent = 1000 * (time.perf_counter() - began)
    shown = [one.state for key in keys if key in pending for one in pending[key].intents]
    if bulk.batch is None or len(bulk.accepted) != len(chosen) or shown != [IntentState.QUEUED] * len(chosen):
        raise Wrong("A decision over a hundred incidents was not accepted whole, or is not shown as queued.")
    with scope.person(reader.user):
        triage.undo(user=reader.user, by=by, batch=bulk.batch, now=timezone.now())
    return spent
