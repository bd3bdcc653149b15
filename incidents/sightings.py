"""Where else the values of an incident were seen: in other incidents of its tenant, and in other tenants.

The contract. Of other tenants a person gets to know what they may read anyway: tenant, times, and numbers of incidents
of the tenants they are a member of. Of all the others it is at most a number of tenants, without names, and that only
where the operator has switched SEEN_ELSEWHERE_COUNTS_ALL on; it comes from one function of the database that gives back
a bare count. Everything here is bounded: so many values are looked for (``incidents.telling``), and of each so many
pieces of evidence are read; a value with more of them is called common, and nothing is concluded from it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import connection

from accounts.models import User
from incidents.evidence_tables import OF_INCIDENT
from incidents.filters import KEY_OF_STATUS
from incidents.models import Incident, Severity
from incidents.queue import severity_word, status_word
from incidents.telling import PER_KIND, Value, telling
from tenants.models import Membership, Tenant

# Ours: pieces of evidence read of one value, in the incident's own tenant (the newest) and in all others together.
PIECES_HERE: Final = 50
PIECES_ELSEWHERE: Final = 200
# Ours: what is shown of it.
RELATED: Final = 10
VALUES_SHOWN: Final = 5
TENANTS_SHOWN: Final = 10
NUMBERS_SHOWN: Final = 3

# Stands literally in each statement, because a partial index is used only where its condition is in the text.
_KINDS: Final = "('device', 'file', 'ip', 'mailbox', 'mailmessage', 'url', 'user')"

# Candidates: of each kind the values that most alerts carry, those judged malicious first.
VALUES = f"""
SELECT kind, value FROM (
    SELECT e.kind, e.value, row_number() OVER (
        PARTITION BY e.kind ORDER BY bool_or(lower(e.verdict) = 'malicious') DESC, count(*) DESC, e.value) AS place
    FROM incidents_evidence e WHERE {OF_INCIDENT} AND e.kind IN {_KINDS} AND e.value <> ''
    GROUP BY e.kind, e.value) placed
WHERE place <= 60 ORDER BY place, kind
"""  # noqa: S608  only constants are pasted in
# The newest pieces of each value in the same tenant, outside the incident itself.
HERE = f"""
SELECT w.value, seen.incident_id FROM unnest(%(values)s::text[]) AS w(value) CROSS JOIN LATERAL (
    SELECT a.incident_id
    FROM incidents_evidence e JOIN incidents_alert a ON a.tenant_id = e.tenant_id AND a.id = e.alert_id
    WHERE e.value = w.value AND e.tenant_id = %(tenant)s AND e.kind IN {_KINDS}
      AND a.tenant_id = %(tenant)s AND a.incident_id <> %(incident)s
    ORDER BY e.id DESC LIMIT %(most)s) seen
GROUP BY w.value, seen.incident_id
"""  # noqa: S608
# Pieces of each value in the other tenants of the person, and what became of them. `pieces` tells where the bound bit.
ELSEWHERE = f"""
SELECT w.value, seen.tenant_id, i.number, seen.pieces,
       min(coalesce(seen.first_seen_at, a.first_activity_at, a.created_at)),
       max(coalesce(a.last_activity_at, seen.first_seen_at, a.created_at))
FROM unnest(%(values)s::text[]) AS w(value) CROSS JOIN LATERAL (
    SELECT p.tenant_id, p.alert_id, p.first_seen_at, count(*) OVER () AS pieces FROM (
        SELECT e.tenant_id, e.alert_id, e.first_seen_at FROM incidents_evidence e
        WHERE e.value = w.value AND e.tenant_id = ANY(%(tenants)s::bigint[]) AND e.kind IN {_KINDS}
        LIMIT %(most)s) p) seen
JOIN incidents_alert a ON a.tenant_id = seen.tenant_id AND a.id = seen.alert_id
JOIN incidents_incident i ON i.tenant_id = a.tenant_id AND i.id = a.incident_id
GROUP BY w.value, seen.tenant_id, i.number, seen.pieces
"""  # noqa: S608
OUT_OF_SIGHT = "SELECT w.value, incidents_tenants_out_of_sight(w.value) FROM unnest(%(values)s::text[]) AS w(value)"


@dataclass(frozen=True, slots=True)
class Related:
    """Another incident of the same tenant and the values it shares; ``values`` may be fewer than ``shared``."""

    incident: Incident
    severity: str
    severity_word: str
    status: str
    status_word: str
    values: Sequence[Value]
    shared: int


@dataclass(slots=True)
class InTenant:
    """One value in one other tenant: its incidents, newest number first, and the first and last time of all."""

    tenant: Tenant
    numbers: list[int] = field(default_factory=list)
    first_at: datetime | None = None
    last_at: datetime | None = None

    @property
    def shown(self) -> list[int]:
        """Numbers that become links."""
        return self.numbers[:NUMBERS_SHOWN]

    @property
    def hidden(self) -> int:
        """How many incidents are only counted."""
        return max(0, len(self.numbers) - NUMBERS_SHOWN)


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """One value in other tenants, the latest first. ``is_common``: in so many places that they are not told.

    ``out_of_sight`` counts tenants that the person may not see; 0 where the operator has not switched that on.
    """

    value: Value
    tenants: Sequence[InTenant]
    is_common: bool
    out_of_sight: int

    @property
    def shown(self) -> Sequence[InTenant]:
        """Tenants that are told."""
        return self.tenants[:TENANTS_SHOWN]

    @property
    def hidden(self) -> int:
        """How many tenants are only counted."""
        return max(0, len(self.tenants) - TENANTS_SHOWN)


@dataclass(frozen=True, slots=True)
class Sightings:
    """``looked_for`` counts values that were looked for elsewhere; ``counts_all`` says whether all tenants count."""

    related: Sequence[Related]
    related_more: bool
    elsewhere: Sequence[Elsewhere]
    looked_for: int
    counts_all: bool


def sightings(incident: Incident, user: User) -> Sightings:
    """What the incident's values lead to, for a person who may read it. Nine statements at most, each bounded."""
    found: list[tuple[str, str]] = _rows(VALUES, {"tenant": incident.tenant_id, "incident": incident.pk})
    order = list(PER_KIND)
    found.sort(key=lambda pair: order.index(pair[0]))
    here, everywhere = telling(found, elsewhere=False), telling(found, elsewhere=True)
    with _bounded_scans():
        related, elsewhere = _related(incident, here), _elsewhere(incident, user, everywhere)
    return Sightings(
        related=related[:RELATED],
        related_more=len(related) > RELATED,
        elsewhere=elsewhere,
        looked_for=len(everywhere),
        counts_all=settings.SEEN_ELSEWHERE_COUNTS_ALL,
    )


@contextmanager
def _bounded_scans() -> Iterator[None]:
    """Without bitmaps: a bitmap is made of every piece with the value before the first is read, and the planner, who
    cannot know which values are common, takes one where it expects a few. In the transaction of the request only.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_bitmapscan = off")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_bitmapscan = on")


def _related(incident: Incident, values: Sequence[Value]) -> list[Related]:
    """Those that share most values first, then the newest; one more than are shown."""
    parameters = {
        "tenant": incident.tenant_id, "incident": incident.pk, "values": _texts(values), "most": PIECES_HERE,
    }  # fmt: skip
    shared: dict[int, set[str]] = {}
    for value, key in _rows(HERE, parameters) if values else ():
        shared.setdefault(key, set()).add(value)
    best = sorted(shared, key=lambda key: (-len(shared[key]), -key))[: RELATED + 1]
    held = Incident.objects.filter(tenant_id=incident.tenant_id).select_related("tenant").in_bulk(best)
    by_text = {one.value: one for one in reversed(values)}  # an address that is a user and a mailbox counts once
    once = [one for one in values if by_text[one.value] is one]
    return [_one_related(held[key], [one for one in once if one.value in shared[key]]) for key in best if key in held]


def _one_related(incident: Incident, values: Sequence[Value]) -> Related:
    return Related(
        incident=incident,
        severity=Severity(incident.severity).name.lower(),
        severity_word=severity_word(incident.severity, incident.remote_severity),
        status=KEY_OF_STATUS.get(incident.status, "other"),
        status_word=status_word(incident.status, incident.remote_status),
        values=values[:VALUES_SHOWN],
        shared=len(values),
    )


def _elsewhere(incident: Incident, user: User, values: Sequence[Value]) -> list[Elsewhere]:
    """In the order of the values; those seen nowhere else are left out."""
    mine = Membership.objects.filter(user_id=user.pk).exclude(tenant_id=incident.tenant_id)
    tenants = sorted(set(mine.values_list("tenant_id", flat=True)))
    parameters = {"values": _texts(values), "tenants": tenants, "most": PIECES_ELSEWHERE}
    pieces = _rows(ELSEWHERE, parameters) if values and tenants else []
    hidden = dict(_rows(OUT_OF_SIGHT, parameters)) if values and settings.SEEN_ELSEWHERE_COUNTS_ALL else {}
    names = Tenant.objects.in_bulk({row[1] for row in pieces})
    by_value: dict[str, dict[int, InTenant]] = {}
    common = set()
    for value, tenant_id, number, count, first_at, last_at in pieces:
        if count >= PIECES_ELSEWHERE:
            common.add(value)
        if tenant_id in names:
            place = by_value.setdefault(value, {}).setdefault(tenant_id, InTenant(names[tenant_id]))
            _add(place, number, first_at, last_at)
    return _told(values, by_value, common, hidden)


def _told(
    values: Iterable[Value], by_value: Mapping[str, dict[int, InTenant]], common: set[str], hidden: Mapping[str, int]
) -> list[Elsewhere]:
    told = []
    for one in values:
        is_common, out_of_sight = one.value in common, hidden.get(one.value, 0)
        places = [] if is_common else sorted(by_value.get(one.value, {}).values(), key=_latest)
        if places or is_common or out_of_sight:
            told.append(Elsewhere(one, places, is_common, out_of_sight))
    return told


def _add(place: InTenant, number: int, first_at: datetime | None, last_at: datetime | None) -> None:
    place.numbers = sorted({*place.numbers, number}, reverse=True)
    place.first_at = min((at for at in (place.first_at, first_at) if at), default=None)
    place.last_at = max((at for at in (place.last_at, last_at) if at), default=None)


def _latest(place: InTenant) -> tuple[float, str]:
    return (-place.last_at.timestamp() if place.last_at else 0.0, place.tenant.name)


def _texts(values: Iterable[Value]) -> list[str]:
    return list(dict.fromkeys(one.value for one in values))


def _rows(statement: str, parameters: Mapping[str, Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
