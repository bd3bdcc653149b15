"""The overview as a page: every figure with the address of its rows in the queue, drawings, and tables of the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from django.urls import reverse

from incidents.charts import Bar, Chart, mirrored, stacked, stepped
from incidents.dashboard import PERIODS, Figures, Pace
from incidents.filters import NOBODY, SEVERITIES, Filters, address_for
from incidents.freshness import TenantFreshness
from tenants.models import SYNCING, TenantState

WORDS: Final = {key: severity.label for key, severity in SEVERITIES.items()}
TOP_TENANTS: Final = 15  # ours; the others are in the queue's own list of tenants
NAMED_CELLS: Final = 60  # ours: with more tenants than this, a cell of the map is its shape alone


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and where its rows are."""

    n: int
    url: str


@dataclass(frozen=True, slots=True)
class SpeedRow:
    """A severity's line in a table of times; times are words such as ``3 h 20 min``."""

    key: str
    word: str
    count: Figure
    median: str
    ninetieth: str
    bounds: int


@dataclass(frozen=True, slots=True)
class TenantBar:
    """One tenant's open incidents; ``parts`` are rectangles in a drawing of 100 by 10."""

    tenant: TenantFreshness
    count: Figure
    parts: Sequence[Bar]
    words: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One tenant of the health map. ``shape`` is the end of a shape's name, ``words`` what it stands for."""

    tenant: TenantFreshness
    url: str
    words: str


@dataclass(frozen=True, slots=True)
class CellGroup:
    """Tenants that are alike."""

    shape: str
    title: str
    cells: Sequence[Cell]


class Page:
    """Everything the template asks for."""

    def __init__(self, figures: Figures) -> None:
        self.figures, self.ask, self.days = figures, figures.ask, figures.days
        self.periods = PERIODS
        self.severities = [key for key in SEVERITIES if key != "unknown" or self._has_unknown()]
        self.words = WORDS

    def figure(self, n: int, *, days: Sequence[tuple[str, date]] = (), **fields: Any) -> Figure:
        """A number with the address of the queue that shows its rows, of the chosen tenants."""
        return Figure(n, address_for(replace(self.ask.filters, dates=tuple(days), **fields)))

    def open_now(self) -> list[tuple[str, str, Figure]]:
        """(key, word, open incidents) by severity."""
        now = self.figures.open_now
        return [(key, WORDS[key], self.figure(now[key], severities=(key,))) for key in self.severities]

    def open_total(self) -> Figure:
        """All that is open."""
        return self.figure(sum(self.figures.open_now.values()))

    def open_chart(self) -> Chart:
        """Open by severity over time."""
        series = {key: [day[key] for day in self.figures.open_by_day] for key in self.severities}
        said = ", ".join(f"{WORDS[key]} from {values[0]:,} to {values[-1]:,}" for key, values in series.items())
        description = f"Open incidents at the end of each day. {said}."
        return stepped("open", "Open incidents by severity", description, self.days, series, WORDS)

    def open_rows(self) -> Iterator[tuple[date, list[Figure]]]:
        """The same as a table, newest day first."""
        for day, by_severity in reversed(list(zip(self.days, self.figures.open_by_day, strict=True))):
            on = [("open_on", day)]
            yield (
                day,
                [self.figure(by_severity[key], severities=(key,), status="all", days=on) for key in self.severities],
            )

    def opened_total(self) -> Figure:
        """Opened in the period."""
        return self._opened(sum(self.figures.opened), self.days[0], self.days[-1])

    def closed_total(self) -> Figure:
        """Closed in the period."""
        return self._closed(sum(self.figures.closed), self.days[0], self.days[-1])

    def flow_chart(self) -> Chart:
        """Inflow against closure."""
        opened, closed = self.figures.opened, self.figures.closed
        description = f"{sum(opened):,} opened and {sum(closed):,} closed in {len(self.days)} days; bars per day."
        return mirrored("flow", "Opened and closed per day", description, self.days, opened, closed)

    def flow_rows(self) -> Iterator[tuple[date, Figure, Figure]]:
        """The same as a table, newest day first."""
        rows = list(zip(self.days, self.figures.opened, self.figures.closed, strict=True))
        for day, opened, closed in reversed(rows):
            yield day, self._opened(opened, day, day), self._closed(closed, day, day)

    def speeds(self) -> list[tuple[str, str, date, list[SpeedRow]]]:
        """(title, what a count counts, first day, rows) for time to first touch and time to close."""
        touch, close = self.figures.to_touch, self.figures.to_close
        return [
            ("Time to first touch", "taken up", touch.since, self._speed_rows(touch, "touched", "all")),
            ("Time to close", "closed", close.since, self._speed_rows(close, "closed", "resolved")),
        ]

    def tenant_bars(self) -> list[TenantBar]:
        """The chosen tenants with most open incidents."""
        counts = self.figures.open_by_tenant
        totals = {tenant.id: sum(counts[tenant.id].values()) for tenant in self.figures.chosen if tenant.id in counts}
        found = [tenant for tenant in self.figures.chosen if totals.get(tenant.id)]
        found.sort(key=lambda tenant: -totals[tenant.id])
        widest = max(totals.values(), default=0)
        return [
            TenantBar(
                tenant,
                Figure(totals[tenant.id], address_for(Filters(tenants=(tenant.slug,)))),
                stacked("severity-", [(key, counts[tenant.id][key]) for key in SEVERITIES], widest),
                ", ".join(f"{WORDS[key]} {n:,}" for key in SEVERITIES if (n := counts[tenant.id][key])),
            )
            for tenant in found[:TOP_TENANTS]
        ]

    def tenants_with_open(self) -> int:
        """How many of the chosen tenants have open incidents."""
        return sum(1 for by_severity in self.figures.open_by_tenant.values() if any(by_severity.values()))

    def health(self) -> list[CellGroup]:
        """Every chosen tenant once, those with trouble first; groups without a tenant are left out."""
        groups: dict[str, list[Cell]] = {title: [] for title, _ in _KINDS}
        for tenant in self.figures.chosen:
            kind, words = _kind(tenant)
            groups[kind].append(Cell(tenant, reverse("tenants:tenant", args=[tenant.slug]), words))
        return [CellGroup(shape, title, groups[title]) for title, shape in _KINDS if groups[title]]

    def cells_are_named(self) -> bool:
        """Whether there is room for names in the map."""
        return len(self.figures.chosen) <= NAMED_CELLS

    def held(self) -> list[tuple[str, str, Figure, Figure, Figure]]:
        """(key, word, open of the assignee, of these in progress, open of nobody) by severity."""
        name, mine = self.ask.assignee, self.figures.held
        return [
            (
                key,
                WORDS[key],
                self.figure(mine[key][0], severities=(key,), assignee=name),
                self.figure(mine[key][1], severities=(key,), assignee=name, status="in-progress"),
                self.figure(self.figures.nobodys[key], severities=(key,), assignee=NOBODY),
            )
            for key in self.severities
        ]

    def has_happened(self) -> bool:
        """Whether there is anything to draw."""
        return any(self.figures.opened) or any(self.figures.closed) or any(self.figures.open_now.values())

    def _has_unknown(self) -> bool:
        days = any(day["unknown"] for day in self.figures.open_by_day)
        return days or any("unknown" in pace.by_severity for pace in (self.figures.to_touch, self.figures.to_close))

    def _opened(self, n: int, first: date, last: date) -> Figure:
        return self.figure(n, status="all", days=[("created_from", first), ("created_to", last)])

    def _closed(self, n: int, first: date, last: date) -> Figure:
        return self.figure(n, status="resolved", days=[("closed_from", first), ("closed_to", last)])

    def _speed_rows(self, pace: Pace, moment: str, status: str) -> list[SpeedRow]:
        days = [(f"{moment}_from", pace.since), (f"{moment}_to", self.days[-1])]
        return [
            SpeedRow(
                key,
                WORDS[key],
                self.figure(speed.n, severities=(key,), status=status, days=days),
                lasting(speed.median),
                lasting(speed.ninetieth),
                speed.bounds,
            )
            for key in self.severities
            if (speed := pace.by_severity.get(key))
        ]


# In the order of the map; shapes are those of components/shapes.html.
_KINDS: Final = (
    ("Consent lost", "bad"),
    ("Needs attention", "warning"),
    ("Not read yet", "wait"),
    ("Disconnected", "odd"),
    ("Up to date", "good"),
)


def _kind(tenant: TenantFreshness) -> tuple[str, str]:
    label = str(TenantState(tenant.state).label)
    if tenant.state == TenantState.CONSENT_LOST:
        return "Consent lost", label
    if tenant.state == TenantState.DISCONNECTED:
        return "Disconnected", label
    if tenant.mark:
        return "Needs attention", tenant.mark
    if tenant.state not in SYNCING or tenant.as_of is None:
        return "Not read yet", label
    return "Up to date", label


def lasting(seconds: float | None) -> str:
    """A length of time in its two largest units: ``45 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``."""
    if seconds is None:
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if hours < 1:
        return f"{minutes} min"
    if days < 1:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"
