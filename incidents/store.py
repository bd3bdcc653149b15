"""One page into the database: idempotent, newer wins, one poisoned incident stays alone.

The contract. A page is one transaction. Bytes that we hold already cost one look-up and write nothing. What changed is
read, compared with what is stored under a lock, and written with one statement together with its alerts, evidence and
counts. An older version never replaces a newer one; times are compared with all the digits Microsoft sent. An incident
that cannot be read, or that PostgreSQL will not take, is put aside with its bytes and a reason while its neighbours go
in. Nothing is ever deleted because Microsoft stopped sending it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import msgspec
from django.db import DataError, IntegrityError, OperationalError, transaction
from psycopg.errors import ProgramLimitExceeded

from defender.times import is_later, parse_time
from defender.wire import PARSER_VERSION, Unreadable, read_incident
from incidents import history, quarantine, rollup, rows, store_sql
from incidents.entries import Entry, read_entry, span_of
from incidents.models import Status
from incidents.quarantine import Poisoned
from incidents.rows import Version
from tenants import scope
from tenants.models import Tenant

# Ours: clocks differ by less than this, Microsoft's and ours.
AHEAD_OF_CLOCKS: Final = timedelta(days=2)
REDIRECTED = Status.REDIRECTED.value


class Was(StrEnum):
    """What we held before of an incident that was written."""

    ABSENT = "absent"
    OLDER = "older"
    OF_THE_SAME_TIME = "of the same time"


@dataclass(frozen=True, slots=True)
class Change:
    """One incident that was written: what we held of it, and its own last update as sent."""

    was: Was
    updated_text: str


@dataclass(frozen=True, slots=True)
class PageResult:
    """What a page brought. ``numbers`` are all incidents on it, ``targets`` those that others on it were merged into.

    ``changed`` counts known incidents only, ``merged`` those of new and changed that became aliases; times are texts
    as sent, empty where the page has none. ``changes`` has one entry per incident written.
    """

    seen: int
    new: int = 0
    changed: int = 0
    merged: int = 0
    quarantined: int = 0
    newest_text: str = ""
    oldest_text: str = ""
    newest_first: bool = True
    numbers: frozenset[int] = frozenset()
    targets: frozenset[int] = frozenset()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """An incident as it stands in the database, locked; ``head`` are the values of `store_sql.HEAD`, then the tags."""

    head: tuple[Any, ...]
    number: int
    id: int
    digest: bytes
    updated_text: str
    parser_version: int
    status: int
    severity: int
    unassigned: bool
    redirect_number: int | None
    is_stub: bool
    is_gone: bool


@dataclass(slots=True)
class _Outcome:
    new: int = 0
    changed: int = 0
    merged: int = 0
    quarantined: int = 0
    targets: set[int] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)


def store_page(
    *,
    tenant: Tenant,
    items: Sequence[bytes | Entry],
    now: datetime,
    fence: Callable[[], None] | None = None,
    always_fence: bool = False,
) -> PageResult:
    """Store one page in one transaction. ``fence`` comes before the first write and raises where the lease is not ours.

    ``items`` are incidents exactly as sent, ``now`` goes into our own columns only. A page without anything new writes
    nothing and is not fenced either, unless ``always_fence``: the fence may carry the pass's progress. Raises
    django.db.DatabaseError where the database itself fails; then nothing of the page is stored.
    """
    entries = [item if isinstance(item, Entry) else read_entry(item) for item in items]
    outcome = _Outcome()
    if entries or always_fence:
        with scope.tenant(tenant.pk):
            changed = _unknown(tenant.pk, entries)
            if fence is not None and (changed or always_fence):
                fence()
            if changed:
                outcome = _store_changed(tenant.pk, changed, now)
    span = span_of(entries)
    return PageResult(
        seen=len(entries),
        new=outcome.new,
        changed=outcome.changed,
        merged=outcome.merged,
        quarantined=outcome.quarantined,
        newest_text=span.newest_text,
        oldest_text=span.oldest_text,
        newest_first=span.newest_first,
        numbers=frozenset(entry.number for entry in entries if entry.number is not None),
        targets=frozenset(outcome.targets),
        changes=tuple(outcome.changes),
    )


def _unknown(tenant_id: int, entries: Iterable[Entry]) -> list[Entry]:
    """Entries whose bytes we have not read before with this parser; those quarantined before are known too."""
    numbers = [entry.number for entry in entries if entry.number is not None]
    current = {
        number: digest
        for number, digest, parser, is_gone in (store_sql.known(tenant_id, numbers) if numbers else ())
        if parser >= PARSER_VERSION and not is_gone
    }
    unknown = [entry for entry in entries if entry.number is None or current.get(entry.number) != entry.digest]
    if not unknown:
        return []
    aside = quarantine.known(tenant_id, [entry.digest for entry in unknown])
    return [entry for entry in unknown if entry.digest not in aside]


def _store_changed(tenant_id: int, entries: Sequence[Entry], now: datetime) -> _Outcome:
    readable, poisoned = _read(entries, now)
    wanted = {version.number for version in readable} | {p.number for p in poisoned if p.number is not None}
    held = {row[0]: Held(row[11:], *row[:11]) for row in store_sql.lock(tenant_id, sorted(wanted))}
    outcome = _Outcome()
    versions = _newest(readable, held, now)
    poisoned += _write_or_part(tenant_id, versions, held, now, outcome)
    if poisoned:
        refused = {aside.entry.digest for aside in poisoned}
        good = {version.number for version in versions if version.entry.digest not in refused}
        _put_aside(tenant_id, poisoned, held, good, now, outcome)
    quarantine.settle(tenant_id=tenant_id, numbers=_settling(versions, poisoned, held), now=now)
    return outcome


def _read(entries: Iterable[Entry], now: datetime) -> tuple[list[Version], list[Poisoned]]:
    readable, poisoned = [], []
    for entry in entries:
        try:
            readable.append(rows.version_of(entry, read_incident(entry.raw), now=now))
        except Unreadable as problem:
            number = entry.number or problem.incident_id
            poisoned.append(Poisoned(entry, number, problem.reason, problem.sentence))
    return readable, poisoned


def _newest(readable: Iterable[Version], held: dict[int, Held], now: datetime) -> list[Version]:
    """One version per incident, the newest and of equal times the last, if it is not older than ours; oldest first."""
    chosen: dict[int, Version] = {}
    for version in readable:
        ours, rival = held.get(version.number), chosen.get(version.number)
        if ours and not ours.is_stub and _is_no_news(version, ours, now):
            continue
        if rival and is_later(rival.entry.updated_text, version.entry.updated_text):
            continue
        chosen[version.number] = version
    return sorted(chosen.values(), key=lambda version: (version.row["updated_at"], version.number))


def _is_no_news(version: Version, ours: Held, now: datetime) -> bool:
    """Whether it is older than ours, or the same bytes: the first look misses a number that only the reader finds.

    A date of ours that lies ahead of every clock was set wrong, and whatever comes after it is newer.
    """
    if ours.digest == version.entry.digest and ours.parser_version >= PARSER_VERSION and not ours.is_gone:
        return True
    if (moment := parse_time(ours.updated_text)) and moment > now + AHEAD_OF_CLOCKS:
        return False
    return is_later(ours.updated_text, version.entry.updated_text)


def _write_or_part(
    tenant_id: int, versions: Sequence[Version], held: dict[int, Held], now: datetime, outcome: _Outcome
) -> list[Poisoned]:
    """Write all at once; where PostgreSQL will not take them, each in a savepoint of its own. Returns the offenders."""
    if not versions:
        return []
    refusal = _try_to_write(tenant_id, versions, held, now, outcome)
    if refusal is None:
        return []
    if len(versions) == 1:
        only = versions[0]
        return [Poisoned(only.entry, only.number, "not-storable", f"The database did not take it: {refusal}")]
    return [offender for version in versions for offender in _write_or_part(tenant_id, [version], held, now, outcome)]


def _try_to_write(
    tenant_id: int, versions: Sequence[Version], held: dict[int, Held], now: datetime, outcome: _Outcome
) -> str | None:
    """Write in a savepoint. Returns why the data was refused, or None; anything but the data's fault is raised."""
    try:
        with transaction.atomic():
            _write(tenant_id, versions, held, now)
    except (DataError, IntegrityError) as error:
        return type(error.__cause__ or error).__name__
    except OperationalError as error:
        if not isinstance(error.__cause__, ProgramLimitExceeded):
            raise
        return "ProgramLimitExceeded"
    _count(versions, held, outcome)
    return None


def _write(tenant_id: int, versions: Sequence[Version], held: dict[int, Held], now: datetime) -> None:
    known = [held[version.number] for version in versions if version.number in held]
    alerts, gone = _alerts_to_write(tenant_id, versions, known)
    store_sql.write(
        {
            "tenant": tenant_id,
            "now": now,
            "incidents": _json([version.row for version in versions]),
            "numbers": [version.number for version in versions],
            "bodies": [version.entry.raw[: quarantine.BYTES_KEPT] for version in versions],
            "known": [ours.number for ours in known],
            "labels": _json(rows.label_rows(versions)),
            "comments": _json(rows.comment_rows(versions)),
            "alerts": _json([rows.alert_row(number, alert) for number, alert in alerts]),
            "evidence": _json([row for _, alert in alerts for row in rows.evidence_rows(alert)]),
            "gone": gone,
            "changes": _json(_change_rows(versions, held)),
            "reread": _is_reread(known),
        }
    )
    rollup.add(tenant_id=tenant_id, difference=_difference(versions, held))


def _alerts_to_write(
    tenant_id: int, versions: Sequence[Version], known: Sequence[Held]
) -> tuple[list[tuple[int, Any]], list[int]]:
    """(incident number, alert) of alerts that are new, changed or moved; keys of those that no incident here lists."""
    sent = rows.alerts_of(versions)
    reread = _is_reread(known)
    gone: list[int] = []
    for number, key, alert_id, digest, is_gone in store_sql.alerts(tenant_id, [ours.id for ours in known]):
        now_in = sent.get(alert_id)
        if now_in is None:
            gone.append(key)
        elif now_in[0] == number and now_in[1].hash == digest and not is_gone and not reread:
            del sent[alert_id]
    return list(sent.values()), gone


def _change_rows(versions: Iterable[Version], held: dict[int, Held]) -> list[rows.Row]:
    """The heads that differ from what we held; the same bytes, read by another parser, are no change."""
    found = []
    for version in versions:
        ours = held.get(version.number)
        if ours is None or (ours.digest == version.entry.digest and not ours.is_gone):
            continue
        if differing := history.differences(_head(ours), rows.head_of(version)):
            found.append({"number": version.number, "differences": differing})
    return found


def _head(ours: Held) -> rows.Row:
    head = dict(zip((*store_sql.HEAD, "tags"), ours.head, strict=True))
    return {**head, "redirect_number": ours.redirect_number, "is_stub": ours.is_stub, "gone": ours.is_gone}


def _is_reread(known: Iterable[Held]) -> bool:
    """Whether a newer parser reads some of them again: then equal digests of alerts prove nothing."""
    return any(ours.parser_version < PARSER_VERSION for ours in known)


def _difference(versions: Iterable[Version], held: dict[int, Held]) -> Counter[rollup.Cell]:
    difference: Counter[rollup.Cell] = Counter()
    for version in versions:
        ours = held.get(version.number)
        difference[version.row["status"], version.row["severity"], version.row["assigned_to"] is None] += 1
        if ours:
            difference[ours.status, ours.severity, ours.unassigned] -= 1
    return difference


def _count(versions: Iterable[Version], held: dict[int, Held], outcome: _Outcome) -> None:
    for version in versions:
        ours, target = held.get(version.number), version.row["redirect_number"]
        outcome.changes.append(Change(_was(ours, version), version.entry.updated_text))
        outcome.new += ours is None
        outcome.changed += ours is not None
        if target is not None:
            outcome.targets.add(target)
            outcome.merged += ours is None or ours.redirect_number is None


def _was(ours: Held | None, version: Version) -> Was:
    if ours is None:
        return Was.ABSENT
    return Was.OLDER if is_later(version.entry.updated_text, ours.updated_text) else Was.OF_THE_SAME_TIME


def _put_aside(
    tenant_id: int,
    poisoned: Sequence[Poisoned],
    held: dict[int, Held],
    good: set[int],
    now: datetime,
    outcome: _Outcome,
) -> None:
    """Quarantine rows for all, and a stub in the queue for each incident of which we hold no good version."""
    quarantine.put_aside(tenant_id=tenant_id, poisoned=poisoned, now=now)
    outcome.quarantined += len({aside.entry.digest for aside in poisoned})
    readable = good | {ours.number for ours in held.values() if not ours.is_stub}
    stubs = {p.number: quarantine.stub(p, now=now) for p in poisoned if p.number and p.number not in readable}
    if stubs:
        _write(tenant_id, list(stubs.values()), held, now)


def _settling(versions: Iterable[Version], poisoned: Iterable[Poisoned], held: dict[int, Held]) -> list[int]:
    """Incidents whose quarantine is over: a good version came, and it is not older than the one put aside."""
    still = {aside.number for aside in poisoned}
    return [
        version.number
        for version in versions
        if version.number not in still
        and not (
            (ours := held.get(version.number))
            and ours.is_stub
            and is_later(ours.updated_text, version.entry.updated_text)
        )
    ]


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
