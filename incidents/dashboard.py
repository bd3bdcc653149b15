"""The figures of the overview: what is open, how it came to be, how fast it goes, and how the tenants are.

Every figure has an address in the queue with as many rows as it says, because both follow from the same columns of the
incidents: what counts on a day is kept by ``incidents.daily`` in the transaction that stores the incident. Days are
UTC's. Merged shells count nowhere; what was opened again counts as never closed; severities are those of now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db.models import Max, Min
from django.http import QueryDict

from accounts.models import User
from incidents.assignees import addresses_for
from incidents.daily import NAMES
from incidents.dashboard_statements import CLOSED, COUNTS, HELD_BY, TOUCHED
from incidents.date_filters import midnight
from incidents.filters import ME, SEVERITIES, Filters, read_filters
from incidents.freshness import TenantFreshness, tenants_for
from incidents.models import Severity
from incidents.queue import assignees_for
from incidents.selecting import select
from tenants.groups import groups_for
from tenants.models import Tenant

PERIODS: Final = (7, 30, 90)  # days; ours
USUAL: Final = 30
# Ours: a median is taken over no more incidents than this, those of the latest whole days of the period.
MEASURED: Final = 20_000
BySeverity = dict[str, int]


@dataclass(frozen=True, slots=True)
class Ask:
    """``days`` is one of PERIODS; ``filters`` has tenants and a tenant group alone; ``assignee`` may be blank."""

    days: int = USUAL
    filters: Filters = field(default_factory=Filters)
    assignee: str = ""


@dataclass(frozen=True, slots=True)
class Speed:
    """How long it took for ``n`` incidents of a severity, in seconds; None where none says when it was created.

    For ``bounds`` of them the portal came later, and the time is the longest that it can have been.
    """

    n: int
    bounds: int
    median: float | None
    ninetieth: float | None


@dataclass(frozen=True, slots=True)
class Pace:
    """Speeds by severity, over the days ``since`` and later of the period."""

    since: date
    by_severity: Mapping[str, Speed]


@dataclass(frozen=True, slots=True)
class Figures:
    """What the overview shows; lists by day go with ``days``, severities are keys of SEVERITIES.

    ``watched`` are the first and the last moment at which one of the chosen tenants was connected.
    """

    ask: Ask
    days: Sequence[date]
    tenants: Sequence[TenantFreshness]
    chosen: Sequence[TenantFreshness]
    groups: Sequence[str]
    assignees: Sequence[str]
    open_now: BySeverity
    nobodys: BySeverity
    open_by_tenant: Mapping[int, BySeverity]
    open_by_day: Sequence[BySeverity]
    opened: Sequence[int]
    closed: Sequence[int]
    to_touch: Pace
    to_close: Pace
    held: Mapping[str, tuple[int, int]]
    is_nameless: bool
    watched: tuple[datetime | None, datetime | None]


@dataclass(slots=True)
class _Day:
    opened: BySeverity
    closed: BySeverity
    touched: int


def read_ask(query: QueryDict) -> Ask:
    """What an address asks for; what means nothing is left aside."""
    asked = read_filters(query)
    text = query.get("days", "")
    days = int(text) if text in map(str, PERIODS) else USUAL
    return Ask(days, Filters(tenants=asked.tenants, group=asked.group), asked.assignee or ME)


def figures_for(user: User, ask: Ask, *, now: datetime) -> Figures:
    """The figures over the person's tenants, in as many queries for a thousand tenants as for one."""
    tenants = tenants_for(user, now)
    groups = groups_for(user)
    chosen = _chosen(ask.filters, tenants, groups)
    ids = [tenant.id for tenant in chosen]
    today = now.astimezone(UTC).date()
    days = [today - timedelta(days=back) for back in reversed(range(ask.days))]
    open_by_tenant, nobodys, by_day = _counts(ids, days[0])
    open_now = _sum(open_by_tenant.values())
    names = _names(user, ids, ask.assignee)
    within = [by_day.get(day, _nothing()) for day in days]
    return Figures(
        ask=ask,
        days=days,
        tenants=tenants,
        chosen=chosen,
        groups=list(groups),
        assignees=assignees_for(tenants),
        open_now=open_now,
        nobodys=nobodys,
        open_by_tenant=open_by_tenant,
        open_by_day=_open_by_day(open_now, by_day, days),
        opened=[sum(day.opened.values()) for day in within],
        closed=[sum(day.closed.values()) for day in within],
        to_touch=_pace(TOUCHED, ids, days, [day.touched for day in within]),
        to_close=_pace(CLOSED, ids, days, [sum(day.closed.values()) for day in within]),
        held=_held(ids, names),
        is_nameless=not names,
        watched=_watched(ids),
    )


def _chosen(
    filters: Filters, tenants: Sequence[TenantFreshness], groups: Mapping[str, frozenset[int]]
) -> list[TenantFreshness]:
    """As the queue does, from groups that are at hand already."""
    members = groups.get(filters.group, frozenset())
    return [
        tenant
        for tenant in tenants
        if (not filters.tenants or tenant.slug in filters.tenants) and (not filters.group or tenant.id in members)
    ]


def _counts(ids: Sequence[int], since: date) -> tuple[dict[int, BySeverity], BySeverity, dict[date, _Day]]:
    by_tenant: dict[int, BySeverity] = defaultdict(_none)
    nobodys, by_day = _none(), {}
    for tenant_id, severity, n, unassigned, day, sums in _select(COUNTS, {"tenants": ids, "since": since}):
        if day is None:
            by_tenant[tenant_id][_key(severity)] += n
            nobodys[_key(severity)] += unassigned
        else:
            opened, closed = sums[: len(NAMES)], sums[len(NAMES) : 2 * len(NAMES)]
            by_day[day] = _Day(dict(zip(NAMES, opened, strict=True)), dict(zip(NAMES, closed, strict=True)), sums[-1])
    return by_tenant, nobodys, by_day


def _open_by_day(open_now: BySeverity, by_day: Mapping[date, _Day], days: Sequence[date]) -> list[BySeverity]:
    """Open at the end of each day: what is open now, less what was opened later, and what was closed later."""
    later = sorted((day for day in by_day if day > days[-1]), reverse=True)
    running, found = dict(open_now), {}
    for day in [*later, *reversed(days)]:
        found[day] = dict(running)
        change = by_day.get(day, _nothing())
        for key in running:
            running[key] += change.closed[key] - change.opened[key]
    return [found[day] for day in days]


def _pace(statement: str, ids: Sequence[int], days: Sequence[date], counts: Sequence[int]) -> Pace:
    """Over as many of the latest days as together hold no more than MEASURED incidents, and over today in any case."""
    since, measured = days[-1], counts[-1]
    for day, n in zip(reversed(days[:-1]), reversed(counts[:-1]), strict=True):
        measured += n
        if measured > MEASURED:
            break
        since = day
    bounds = {"since": midnight(since), "until": midnight(days[-1] + timedelta(days=1))}
    rows = _select(statement, {"tenants": ids, **bounds})
    return Pace(since, {_key(severity): Speed(n, late, *(both or (None, None))) for severity, n, late, both in rows})


def _names(user: User, ids: Sequence[int], assignee: str) -> list[str]:
    """The addresses at Microsoft that the filter stands for."""
    return sorted(set(addresses_for(user, ids).values())) if assignee == ME else [assignee]


def _held(ids: Sequence[int], names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """(open, of these in progress) by severity of some names at Microsoft."""
    found = dict.fromkeys(SEVERITIES, (0, 0))
    if names:
        rows = _select(HELD_BY, {"tenants": ids, "names": list(names)})
        found |= {_key(severity): (n, in_progress) for severity, n, in_progress in rows}
    return found


def _watched(ids: Sequence[int]) -> tuple[datetime | None, datetime | None]:
    moments = Tenant.objects.filter(pk__in=ids).aggregate(first=Min("connected_at"), last=Max("connected_at"))
    return moments["first"], moments["last"]


def _select(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    if not parameters["tenants"]:
        return []
    return select(statement, parameters)


def _sum(parts: Any) -> BySeverity:
    total = _none()
    for part in parts:
        for key, n in part.items():
            total[key] += n
    return total


def _none() -> BySeverity:
    return dict.fromkeys(SEVERITIES, 0)


def _nothing() -> _Day:
    return _Day(_none(), _none(), 0)


def _key(severity: int) -> str:
    return Severity(severity).name.lower()
