"""The rows of the queue as texts, ready to be printed: what a row says is put into words once and not by its template.

A page of fifty rows prints some 1,500 values. Filters, numbers and attributes cost a template more than the words
themselves, so it gets plain texts. Foreign text goes through ``shown`` here. What a page prints several times, in one
row or in many, is escaped once, by Django's own ``escape``; everything else is escaped by the template as always.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import cache, lru_cache
from typing import Any

from django.template.loader import get_template
from django.utils import timezone
from django.utils.html import escape

from accounts.moments import ago, iso, precise
from defender.plain_text import shown
from incidents.columns import Columns
from incidents.queue import QueueRow

# What the template prints of one row, by name; ``odd`` is the row itself where its name has a chip or link behind it.
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


def _printed(row: QueueRow, page: _Page) -> dict[str, Any]:
    escaped, slug, number = page.escaped, row.tenant.slug, escape(row.number)
    printed: dict[str, Any] = {
        "key": escape(f"{slug}-{number}"),
        "slug": escaped(slug),
        "number": number,
        "stamp": row.stamp,
        "choice": f"{slug}:{number}:{row.token}",
        "severity": _component("severity", row.severity, shown(row.severity_word, 40)),
        "url": f"{row.url}{page.suffix}",
        "name": shown(row.name, 160) or "(no name)",
        "odd": row if _is_odd(row) else None,
        "tenant": escaped(shown(row.tenant.name, 60)),
        "mark": row.tenant.mark,
        "status": _component("status", row.status, shown(row.status_word, 40)),
        "on_its_way": row.on_its_way and shown(row.on_its_way, 300),
        "conflicts": row.conflicts,
        "assigned": row.assigned_to and escaped(shown(row.assigned_to, 60)),
        "alerts": escaped(row.alerts),
        "unit": "alert" if row.alert_count == 1 else "alerts",
        "host": row.host and escape(shown(row.host, 60)),
        "account": row.account and escape(shown(row.account, 60)),
        "updated_iso": iso(row.updated_at),
        "updated_at": precise(row.updated_at, page.zone),
        "updated": ago(row.updated_at, page.now),
    }
    return printed | _seldom(row, page) if page.has_seldom else printed


@lru_cache(maxsize=512)
def _component(name: str, key: str, word: str) -> str:
    """A component of the pages, which is the same for all rows of one severity or status."""
    return get_template(f"components/{name}.html").render({"key": key, "word": word})


def _seldom(row: QueueRow, page: _Page) -> dict[str, Any]:
    words: dict[str, Any] = {
        "classification": shown(row.classification_word, 60),
        "tags": [shown(tag, 40) for tag in row.tags],
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
