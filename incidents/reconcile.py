"""Ours against theirs, beyond what a list of recent updates shows.

After each complete pass: targets of merges that we do not hold are fetched by their number. Once a day, after a sweep
over a wider window: what the sweep found is written down, incidents of that window that the list did not show are
asked for, and then, a batch with each pass, every open incident older than the window and every gap between two
numbers. Microsoft's 404 marks an incident as gone; nothing is ever deleted. Whatever goes wrong here never breaks the
pass that went before: what was not reached is reached later.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog
from django.conf import settings

from defender.client import DefenderClient
from defender.errors import DefenderError, NotFound, Throttled
from defender.times import parse_time
from incidents import completeness, history, quarantine, rollup
from incidents.models import Incident
from incidents.passes import Pass
from incidents.store import PageResult, store_page
from tenants import budget, leases, scope
from tenants.models import SyncRun, Tenant

log = structlog.get_logger("portal.sync")

# Ours, per pass: calls for single incidents. Background work has 60 a minute (tenants.budget) and a pass stays short.
TARGETS: Final = 20
BATCH: Final = 30
# Ours: bytes put aside by an older parser that one sweep tries again.
RETRIED: Final = 200


# Answers to a single read that stay as they are however often they are asked for.
UNREADABLE: Final = frozenset({"shape", "too-large"})


@dataclass(slots=True)
class Looked:
    """What single reads have brought: pages of one, numbers Microsoft no longer has, and whether to go on."""

    results: list[PageResult] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    reached: int = 0
    may_go_on: bool = True


def look_closer(work: Pass, client: DefenderClient, now: datetime) -> int:
    """Everything that follows a complete pass; adds to its counts and moves ``sweep_cursor``. Raises Fenced only.

    Returns how many gaps between numbers later passes may still look into.
    """
    gaps_left = work.state.gaps_left
    if work.kind == SyncRun.Kind.SWEEP:
        _sweep(work, now)
        gaps_left = completeness.GAPS
    may_go_on = _follow_merges(work, client, now)
    if may_go_on and work.kind == SyncRun.Kind.SWEEP and work.whole:
        may_go_on = _look(work, client, _unseen(work), now).may_go_on
    if may_go_on and work.sweep_cursor is not None:
        may_go_on = _look_at_old_ones(work, client, now)
    if may_go_on and gaps_left and work.sweep_cursor is None:
        gaps_left = _look_into_gaps(work, client, gaps_left, now)
    return gaps_left


def _sweep(work: Pass, now: datetime) -> None:
    """What a sweep does without Microsoft: counts set right, old poison read again, unknown targets noted."""
    tenant_id = work.tenant.pk
    with scope.tenant(tenant_id):
        leases.fence(work.lease)
        if rollup.repair(tenant_id=tenant_id):
            work.notes.append("The counts of the queue were set right.")
            log.error("counts repaired")
        again = quarantine.to_try_again(tenant_id, limit=RETRIED)
        aliases = Incident.objects.filter(gone_at=None).exclude(redirect_number=None)
        work.targets |= {number for number in aliases.values_list("redirect_number", flat=True) if number}
        completeness.note_sweep(work, now=now)
    if again:
        work.count(store_page(tenant=work.tenant, items=again, now=now, fence=lambda: leases.fence(work.lease)))
    work.sweep_cursor = 0


def _follow_merges(work: Pass, client: DefenderClient, now: datetime) -> bool:
    """Fetch targets that we do not hold; a target may itself have been merged, in a circle even."""
    asked: set[int] = set()
    while wanted := _not_held(work.tenant, work.targets - asked)[: TARGETS - len(asked)]:
        asked |= set(wanted)
        looked = _look(work, client, wanted, now)
        if not looked.may_go_on:
            return False
    return True


def _not_held(tenant: Tenant, numbers: Iterable[int]) -> list[int]:
    wanted = set(numbers)
    if not wanted:
        return []
    with scope.tenant(tenant.pk):
        return sorted(wanted - set(Incident.objects.filter(number__in=wanted).values_list("number", flat=True)))


def _unseen(work: Pass) -> list[int]:
    """Open incidents whose last update lies in the window and which the list did not show."""
    since = parse_time(work.since)
    with scope.tenant(work.tenant.pk):
        held = Incident.objects.filter(is_open=True, gone_at=None, updated_at__gte=since).order_by("updated_at")
        numbers = [number for number in held.values_list("number", flat=True) if number not in work.numbers]
    return numbers[:BATCH]


def _look_at_old_ones(work: Pass, client: DefenderClient, now: datetime) -> bool:
    """The next batch of open incidents from before the window, by their age with us; at the end the sweep is over."""
    newest = parse_time(work.newest)
    if newest is None:
        work.sweep_cursor = None
        return True
    before = newest - settings.SYNC_SWEEP_WINDOW
    with scope.tenant(work.tenant.pk):
        old = Incident.objects.filter(is_open=True, gone_at=None, updated_at__lt=before, pk__gt=work.sweep_cursor or 0)
        batch = list(old.order_by("pk").values_list("pk", "number")[:BATCH])
    looked = _look(work, client, [number for _, number in batch], now)
    if looked.reached:
        work.sweep_cursor = batch[looked.reached - 1][0]
    if looked.reached == len(batch) < BATCH:
        work.sweep_cursor = None
    return looked.may_go_on


def _look_into_gaps(work: Pass, client: DefenderClient, left: int, now: datetime) -> int:
    """Ask for numbers that lie between those we hold. Microsoft's 404 is remembered, so each is asked for once."""
    wanted = completeness.gaps(work.tenant.pk, until=parse_time(work.newest), most=min(BATCH, left))
    if not wanted:
        return 0
    before = work.new
    looked = _look(work, client, wanted, now)
    with scope.tenant(work.tenant.pk):
        leases.fence(work.lease)
        completeness.note_gaps(
            tenant=work.tenant, absent=looked.gone, found=work.new - before, now=now, notes=work.notes
        )
    return max(left - looked.reached, 0)


def _look(work: Pass, client: DefenderClient, numbers: Sequence[int], now: datetime) -> Looked:
    """Read incidents one by one and store them; those that Microsoft no longer has are marked."""
    looked = Looked()
    for number in numbers:
        if work.is_late:
            looked.may_go_on = False
            break
        try:
            body = client.incident(number)
        except NotFound:
            looked.gone.append(number)
        except DefenderError as error:
            if error.code in UNREADABLE:
                _pass_by(work, number, error, now)
                looked.reached += 1
                continue
            _note(work, error)
            looked.may_go_on = False
            break
        else:
            work.count(store_page(tenant=work.tenant, items=[body], now=now, fence=lambda: leases.fence(work.lease)))
        looked.reached += 1
    if looked.gone:
        _mark_gone(work, looked.gone, now)
    return looked


def _pass_by(work: Pass, number: int, error: DefenderError, now: datetime) -> None:
    """One incident whose answer nobody can read must not keep the look at all others from its end."""
    sentence = f"Incident {number} could not be read by its number. {error.sentence}"
    quarantine.not_served(
        tenant=work.tenant, place=f"incident {number}", number=number, sentence=sentence, now=now, fence=work.fence
    )
    work.quarantined += 1
    log.warning("single read passed by", number=number, reason=error.code)


def _mark_gone(work: Pass, numbers: Sequence[int], now: datetime) -> None:
    with scope.tenant(work.tenant.pk):
        leases.fence(work.lease)
        held = Incident.objects.filter(tenant_id=work.tenant.pk, number__in=numbers, gone_at=None)
        history.note_gone(tenant_id=work.tenant.pk, incidents=held.values_list("pk", "updated_at"), now=now)
        work.changed += held.update(gone_at=now, changed_at=now)


def _note(work: Pass, error: DefenderError) -> None:
    """A single read failed: what is left waits for a later pass."""
    if isinstance(error, Throttled) and error.code != budget.OUR_OWN:
        budget.block(tenant_id=work.tenant.pk, verb="get", seconds=error.retry_after or 60.0)
    log.info("single reads broken off", reason=error.code)
