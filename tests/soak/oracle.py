"""What the portal holds against what the stand-in cloud has: incident by incident, version by version, byte by byte."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

_TENANT = re.compile(rb"[?&]tid=([0-9a-fA-F-]{36})")


@dataclass(frozen=True, slots=True)
class Theirs:
    """One incident as the cloud serves it now; ``way`` names how it is poisoned, blank where it is sound."""

    updated: str
    digest: str
    way: str = ""


@dataclass(frozen=True, slots=True)
class Ours:
    """One incident as the portal holds it."""

    updated: str
    digest: str
    is_stub: bool = False
    is_gone: bool = False
    is_open: bool = True


@dataclass
class Findings:
    """Each entry says tenant and incident. ``different`` are equal in time and not in bytes.

    ``not_aside`` are poisoned ones without a row of their own, or whose bytes stand neither there nor in quarantine.
    """

    lost: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    ghosts: list[str] = field(default_factory=list)
    not_aside: list[str] = field(default_factory=list)
    compared: int = 0


def compare(
    tenant: str, theirs: Mapping[int, Theirs], ours: Mapping[int, Ours], aside: frozenset[str], found: Findings
) -> None:
    """Add what differs in one tenant. ``aside`` are digests in quarantine."""
    for number, truth in theirs.items():
        found.compared += 1
        held = ours.get(number)
        name = f"{tenant}/{number}"
        if truth.way:
            if held is None or truth.digest not in aside | {held.digest}:
                found.not_aside.append(f"{name} ({truth.way})")
        elif held is None or held.is_gone:
            found.lost.append(name)
        elif held.updated != truth.updated:
            found.stale.append(f"{name}: {held.updated} instead of {truth.updated}")
        elif held.digest != truth.digest:
            found.different.append(name)
    for number, held in ours.items():
        if number not in theirs and not held.is_gone and held.is_open:
            found.ghosts.append(f"{tenant}/{number}")


def look(connection: "psycopg.Connection[Any]", digest: Mapping[str, Iterable[Iterable[Any]]]) -> Findings:
    """Compare everything. ``digest`` is what the cloud's control API says of all tenants."""
    found = Findings()
    ours, aside = _held(connection), _aside(connection)
    for tenant, rows in digest.items():
        theirs = {number: Theirs(updated, hashed, way or "") for number, updated, hashed, way in rows}
        compare(tenant, theirs, ours.get(tenant, {}), aside.get(tenant, frozenset()), found)
    return found


def _held(connection: "psycopg.Connection[Any]") -> dict[str, dict[int, Ours]]:
    held: dict[str, dict[int, Ours]] = {}
    rows = connection.execute(
        "SELECT t.entra_id::text, i.number, i.updated_text, encode(i.content_hash, 'hex'), i.is_stub,"
        " i.gone_at IS NOT NULL, i.is_open FROM incidents_incident i JOIN tenants_tenant t ON t.id = i.tenant_id"
    )
    for tenant, number, updated, digest, is_stub, is_gone, is_open in rows:
        held.setdefault(tenant, {})[number] = Ours(updated, digest, is_stub, is_gone, is_open)
    return held


def _aside(connection: "psycopg.Connection[Any]") -> dict[str, frozenset[str]]:
    rows = connection.execute(
        "SELECT t.entra_id::text, array_agg(encode(q.content_hash, 'hex')) FROM incidents_quarantine q"
        " JOIN tenants_tenant t ON t.id = q.tenant_id GROUP BY 1"
    )
    return {tenant: frozenset(digests) for tenant, digests in rows}


def wrongly_aside(connection: "psycopg.Connection[Any]", poisoned: Mapping[str, set[int]]) -> list[str]:
    """Quarantined incidents that nobody poisoned.

    A place in a list that failed time and again while every fifth call did is noted without a number or bytes
    (``incidents.quarantine.not_served``); that no incident is missing for it is what ``lost`` says.
    """
    rows = connection.execute(
        "SELECT t.entra_id::text, q.number, q.reason FROM incidents_quarantine q"
        " JOIN tenants_tenant t ON t.id = q.tenant_id WHERE q.number IS NOT NULL OR q.reason <> 'not-served'"
    )
    return [
        f"{tenant}/{number}: {reason}" for tenant, number, reason in rows if number not in poisoned.get(tenant, set())
    ]


def foreign(connection: "psycopg.Connection[Any]") -> list[str]:
    """Rows of one tenant whose bytes name another one."""
    found = []
    with connection.transaction(), connection.cursor("bodies") as cursor:
        cursor.itersize = 500
        cursor.execute(
            "SELECT t.entra_id::text, i.number, r.body FROM incidents_incidentraw r"
            " JOIN incidents_incident i ON i.id = r.incident_id JOIN tenants_tenant t ON t.id = r.tenant_id"
        )
        for tenant, number, body in cursor:
            if {name.decode().lower() for name in _TENANT.findall(bytes(body))} - {tenant}:
                found.append(f"{tenant}/{number}")
    return found


def duplicated(connection: "psycopg.Connection[Any]") -> int:
    """Incidents and alerts that stand there twice."""
    twice = "SELECT count(*) FROM (SELECT 1 FROM {} GROUP BY {} HAVING count(*) > 1) AS twice"
    counts = 0
    for table, key in (("incidents_incident", "tenant_id, number"), ("incidents_alert", "tenant_id, alert_id")):
        row = connection.execute(twice.format(table, key)).fetchone()
        counts += int(row[0]) if row else 1
    return counts
