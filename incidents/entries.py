"""The entries of a page before they are read in full: number, last update, digest.

Most entries of most pages are unchanged, so this looks at no more than two fields of each. An entry that even this
cannot decode is looked through for the same two by pattern, so that a poisoned one still has its place in the order.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import msgspec

from defender.cleaning import as_identity
from defender.times import MAX_TIME_TEXT, instant, is_later, parse_time
from defender.wire import content_hash, guess_incident_id

_UPDATED = re.compile(rb'"lastUpdateTime"\s*:\s*"([^"\\]{1,%d})"' % MAX_TIME_TEXT)


class _Head(msgspec.Struct):
    number: Any = msgspec.field(name="incidentId", default=None)
    updated: Any = msgspec.field(name="lastUpdateTime", default=None)


_HEAD = msgspec.json.Decoder(_Head)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as sent; ``number`` is None where it cannot be found, ``updated_text`` empty where there is no time."""

    raw: bytes
    digest: bytes
    number: int | None
    updated_text: str


def read_entry(raw: bytes) -> Entry:
    """The entry's number, time and digest; never raises."""
    try:
        head = _HEAD.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Entry(raw, content_hash(raw), guess_incident_id(raw), _guess_updated(raw))
    number = head.number if type(head.number) is int and 0 < head.number < 2**63 else as_identity(head.number)
    text = head.updated if isinstance(head.updated, str) and len(head.updated) <= MAX_TIME_TEXT else ""
    return Entry(raw, content_hash(raw), number, text)


@dataclass(frozen=True, slots=True)
class Span:
    """The newest and the oldest time of a page (empty where it has none), and whether it came newest first."""

    newest_text: str
    oldest_text: str
    newest_first: bool


def span_of(entries: Sequence[Entry]) -> Span:
    """Entries without a time take no part: they can neither be newest nor break the order."""
    found = [(moment, entry.updated_text) for entry in entries if (moment := instant(entry.updated_text))]
    if not found:
        return Span("", "", True)
    moments = [moment for moment, _ in found]
    if all(later >= earlier for later, earlier in pairwise(moments)):
        return Span(found[0][1], found[-1][1], True)
    by_moment = dict(reversed(found))
    return Span(by_moment[max(moments)], by_moment[min(moments)], False)


def newest_until(entries: Iterable[Entry], latest: datetime) -> str:
    """The newest time among entries that does not lie after ``latest``; empty if there is none."""
    newest = ""
    for entry in entries:
        if is_later(entry.updated_text, newest):
            moment = parse_time(entry.updated_text)
            if moment and moment <= latest:
                newest = entry.updated_text
    return newest


def _guess_updated(raw: bytes) -> str:
    found = _UPDATED.search(raw)
    return found[1].decode("ascii", "replace") if found else ""
