"""The rows of the queue as texts, ready to be printed: what a row says is put into words once and not by its template.

A page of fifty rows prints some 1,500 values. Filters, numbers and attributes cost a template more than the words
themselves, so it gets plain texts. Foreign text goes through ``shown`` here. What a page prints several times, in one
row or in many, is escaped once, by Django's own ``escape``; everything else is escaped by the template as always.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache
from typing import Any

from django.utils import timezone
from django.utils.html import escape

from accounts.moments import ago, iso, precise
from defender.plain_text import shown
from incidents.columns import Columns
from incidents.queue import QueueRow

# What stands twice in a row, or in many rows.
OFTEN = frozenset(
    {"key", "slug", "number", "severity", "severity_word", "tenant", "mark", "chip", "shape", "status", "assigned"}
    | {"alerts", "unit", "host", "account"}
)
# What the template prints of one row, by name; ``odd`` is the row itself where its name has a chip or link behind it,
# ``pending`` where its status has, ``tags`` are several texts.
RowTexts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Page:
    """What all rows have in common."""

    suffix: str
    has_seldom: bool
    now: datetime
    zone: tzinfo
    escaped: Callable[[str], str]


def texts_of(rows: Sequence[QueueRow], columns: Columns, query: str) -> list[RowTexts]:
    """The rows in words. ``query`` is the part of the queue's address that their links carry along.

    Columns that are not there unless chosen have words only where one of them is shown.
    """
    suffix = f"?{query}" if query else ""
    page = _Page(suffix, columns.has_seldom, timezone.now(), timezone.get_current_timezone(), cache(escape))
    return [_printed(row, page) for row in rows]


def _printed(row: QueueRow, page: _Page) -> RowTexts:
    words = _words(row, page)
    if page.has_seldom:
        words |= _seldom(row, page)
    printed: dict[str, Any] = {name: page.escaped(text) if name in OFTEN else text for name, text in words.items()}
    printed["odd"] = row if _is_odd(row) else None
    printed["pending"] = row if row.on_its_way or row.conflicts else None
    printed["tags"] = [shown(tag, 40) for tag in row.tags]
    return printed


def _words(row: QueueRow, page: _Page) -> dict[str, str]:
    slug, number, (chip, shape) = row.tenant.slug, str(row.number), row.chip
    return {
        "key": f"{slug}-{number}",
        "slug": slug,
        "number": number,
        "stamp": row.stamp,
        "choice": f"{slug}:{number}:{row.token}",
        "severity": row.severity,
        "severity_word": shown(row.severity_word, 40),
        "url": f"{row.url}{page.suffix}",
        "name": shown(row.name, 160) or "(no name)",
        "tenant": shown(row.tenant.name, 60),
        "mark": row.tenant.mark,
        "chip": chip,
        "shape": shape,
        "status": shown(row.status_word, 40),
        "on_its_way": shown(row.on_its_way, 300),
        "assigned": shown(row.assigned_to, 60),
        "alerts": row.alerts,
        "unit": "alert" if row.alert_count == 1 else "alerts",
        "host": shown(row.host, 60),
        "account": shown(row.account, 60),
        "updated_iso": iso(row.updated_at),
        "updated_at": precise(row.updated_at, page.zone),
        "updated": ago(row.updated_at, page.now),
    }


def _seldom(row: QueueRow, page: _Page) -> dict[str, str]:
    words = {
        "classification": shown(row.classification_word, 60),
        "techniques": shown(", ".join(row.techniques), 200),
        "created": "",
    }
    if row.created_at:
        words["created_iso"] = iso(row.created_at)
        words["created_at"] = precise(row.created_at, page.zone)
        words["created"] = ago(row.created_at, page.now)
    return words


def _is_odd(row: QueueRow) -> bool:
    return bool(row.is_stub or row.cleaned or row.is_gone or row.redirect_number or row.merged_from)
