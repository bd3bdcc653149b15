"""Draws figures by day as SVG: lines in steps, and bars up and down from one base.

Only geometry: templates/components/chart.html prints it. A drawing is stretched to the room it has, so all its words
stand beside it as HTML, and what it says stands in a table below. Colours and dashes come from classes, because the
content policy refuses inline styles; nothing is told by colour alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT = 1000, 200  # units of the drawing
ROUND = (10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100)  # tenths of a power of ten


@dataclass(frozen=True, slots=True)
class Line:
    """``key`` is the class that gives colour and dashes; ``path`` the attribute ``d``."""

    key: str
    path: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle of the drawing."""

    key: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Tip:
    """What a day says under the mouse."""

    x: float
    width: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """``scale`` are the words beside the drawing from top to bottom, ``grid`` the heights of its lines."""

    id: str
    title: str
    description: str
    days: Sequence[date]
    scale: Sequence[str]
    grid: Sequence[float]
    tips: Sequence[Tip]
    lines: Sequence[Line] = ()
    bars: Sequence[Bar] = ()
    width: int = WIDTH
    height: int = HEIGHT


def stepped(
    name: str,
    title: str,
    description: str,
    days: Sequence[date],
    series: Mapping[str, Sequence[int]],
    words: Mapping[str, str],
) -> Chart:
    """One line per series, level over each day."""
    top = rounded_up(max((n for values in series.values() for n in values), default=0))
    tips = [
        f"{_day(day)}: " + ", ".join(f"{words[key]} {values[i]:,}" for key, values in series.items())
        for i, day in enumerate(days)
    ]
    return Chart(
        id=name,
        title=title,
        description=description,
        days=days,
        scale=(f"{top:,}", f"{top // 2:,}" if top % 2 == 0 else "", "0"),
        grid=(0, HEIGHT / 2, HEIGHT),
        tips=_tips(tips),
        lines=[Line(key, _steps(values, top)) for key, values in series.items()],
    )


def mirrored(
    name: str, title: str, description: str, days: Sequence[date], up: Sequence[int], down: Sequence[int]
) -> Chart:
    """Bars upwards for one series and downwards for the other, on one scale."""
    top = rounded_up(max([*up, *down], default=0))
    slot, base = WIDTH / max(len(days), 1), HEIGHT / 2
    bars = []
    for i, (above, below) in enumerate(zip(up, down, strict=True)):
        x, width = i * slot + slot * 0.12, slot * 0.76
        if above:
            bars.append(Bar("up", _cut(x), _cut(base - base * above / top), _cut(width), _cut(base * above / top)))
        if below:
            bars.append(Bar("down", _cut(x), base, _cut(width), _cut(base * below / top)))
    tips = [f"{_day(day)}: {up[i]:,} opened, {down[i]:,} closed" for i, day in enumerate(days)]
    scale = (f"{top:,}", "0", f"{top:,}")
    return Chart(name, title, description, days, scale, (0, base, HEIGHT), _tips(tips), bars=bars)


def stacked(name: str, parts: Sequence[tuple[str, int]], of: int) -> Sequence[Bar]:
    """One lying bar of several parts, ``of`` being the whole width of 100."""
    found, x = [], 0.0
    for key, n in parts:
        if n and of:
            found.append(Bar(f"{name}{key}", _cut(x), 0, _cut(100 * n / of), 10))
            x += 100 * n / of
    return found


def rounded_up(n: int) -> int:
    """The next round number, at least 1, for the top of a scale."""
    size = 1
    while size * 10 < n:
        size *= 10
    return next(size * tenths // 10 for tenths in ROUND if size * tenths % 10 == 0 and size * tenths >= 10 * n)


def _steps(values: Sequence[int], top: int) -> str:
    slot = WIDTH / max(len(values), 1)
    heights = [_cut(HEIGHT - HEIGHT * n / top) for n in values]
    moves = [f"V{height:g}H{_cut((i + 1) * slot):g}" for i, height in enumerate(heights)]
    return f"M0 {heights[0]:g}" + "".join(moves) if heights else ""


def _tips(texts: Sequence[str]) -> list[Tip]:
    slot = WIDTH / max(len(texts), 1)
    return [Tip(_cut(i * slot), _cut(slot), text) for i, text in enumerate(texts)]


def _cut(value: float) -> float:
    """A tenth of a unit is less than anybody sees."""
    return round(value, 1)


def _day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"
