"""Moments as Microsoft writes them: UTC, zero to seven fractional digits. Inside, an int of 100 ns ticks since 1970.

Python's datetime stops at microseconds, so comparing and ordering happen on ticks and nothing is rounded on the way.
"""

import re
import time
from datetime import UTC, datetime, timedelta

SECOND = 10_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_SHAPE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?(Z|[+-]\d\d:\d\d)")


def iso(ticks: int, digits: int = 7) -> str:
    """``2026-11-22T10:00:00.12Z``: at most `digits` fractional digits, trailing zeros left away as .NET does."""
    seconds, fraction = divmod(ticks, SECOND)
    text = datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
    shown = f"{fraction:07d}"[:digits].rstrip("0")
    return f"{text}.{shown}Z" if shown else f"{text}Z"


def ticks_of(text: str) -> int:
    """The inverse of `iso`; also takes offsets such as +02:00. ValueError for anything else."""
    found = _SHAPE.fullmatch(text)
    if not found:
        raise ValueError(f"not a date and time: {text[:40]!r}")
    base, fraction, zone = found.groups()
    moment = datetime.fromisoformat(base + ("+00:00" if zone == "Z" else zone))
    return int(moment.timestamp()) * SECOND + int((fraction or "0").ljust(7, "0"))


def cut_to(ticks: int, digits: int) -> int:
    """`ticks` without what `iso(ticks, digits)` would not show, so that text and number always agree."""
    return int(ticks - ticks % 10 ** (7 - digits))


def ticks_from(moment: datetime) -> int:
    """Ticks of an aware datetime."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10


class Clock:
    """The world's time: the machine's, moved forward by whatever a test asked for. It never goes back."""

    def __init__(self) -> None:
        self._ahead = 0

    def ticks(self) -> int:
        """The world's time in ticks of 100 ns since 1970."""
        return time.time_ns() // 100 + self._ahead

    def seconds(self) -> float:
        """The world's time in seconds since 1970."""
        return self.ticks() / SECOND

    def now(self) -> datetime:
        """The world's time, aware, in whole seconds."""
        return datetime.fromtimestamp(self.ticks() // SECOND, UTC)

    def advance(self, *, seconds: float) -> None:
        """Move the world's time forward. ValueError for a step back: tokens and incidents would be in the future."""
        if seconds < 0:
            raise ValueError("the world's clock only goes forward")
        self._ahead += round(seconds * SECOND)
