"""Which incidents changed, in an order in which nothing can come too late.

The rule. Every statement that writes incidents marks them with a number of a sequence (``api_change``, kept by
triggers). Its transaction has drawn a number before, and holds a lock that says it until the end; so all marks of a
transaction are greater than what its lock says. Readers look at the sequence, then at the locks, and then at the rows,
and get those whose marks are not above either: the *horizon*. Whatever is committed later has a mark above it, which no
cursor has passed. It is seen later, and never missed. A writer that does not end holds the end of the list back; it
loses nothing.

Times cannot do this: a row says when its page began to be stored, and may be committed after a later one.

An incident that changes again moves to the end, so a reader sees each incident's latest state at least once, not every
state in between. ``updated_since`` only spares old ones: what changes after the first request comes whatever its time.
"""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from django.db import connection

from api import schema
from api.cursor import Place
from incidents.filters import KEY_OF_STATUS
from incidents.models import Severity
from incidents.page import portal_link
from tenants import scope

_HORIZON: Final = "SELECT api_horizon()"
_COLUMNS: Final = """i.id, t.slug, t.entra_id, i.number, i.name, i.status, i.remote_status, i.severity,
    i.remote_severity, i.assigned_to, i.classification, i.determination, i.created_at, i.updated_text, i.changed_at,
    i.redirect_number, i.gone_at, i.is_stub, i.alert_count, i.evidence_count, i.host, i.account, i.web_link,
    ARRAY(SELECT g.tag FROM incidents_incidenttag g
        WHERE g.tenant_id = i.tenant_id AND g.incident_id = i.id ORDER BY g.tag),
    ARRAY(SELECT q.technique FROM incidents_incidenttechnique q
        WHERE q.tenant_id = i.tenant_id AND q.incident_id = i.id ORDER BY q.technique)"""
_CHANGES: Final = f"""
WITH picked AS MATERIALIZED (
    SELECT c.mark, c.incident_id, c.tenant_id FROM api_change c
    WHERE c.tenant_id = ANY(%(tenants)s::bigint[]) AND (c.mark, c.incident_id) > (%(mark)s, %(incident)s)
      AND c.mark <= %(horizon)s {{narrow}}
    ORDER BY c.mark, c.incident_id LIMIT %(limit)s)
SELECT s.mark, {_COLUMNS} FROM picked s
JOIN incidents_incident i ON i.id = s.incident_id AND i.tenant_id = s.tenant_id
JOIN tenants_tenant t ON t.id = i.tenant_id
ORDER BY s.mark, s.incident_id
"""  # noqa: S608  constants only
_SINCE: Final = "AND (c.changed_at >= %(since)s OR c.mark > %(known)s)"
_FIRST: Final = """
SELECT min(c.mark) FROM api_change c WHERE c.tenant_id = ANY(%(tenants)s::bigint[]) AND c.changed_at >= %(since)s
"""
_SOME: Final = f"""
SELECT {_COLUMNS} FROM incidents_incident i JOIN tenants_tenant t ON t.id = i.tenant_id
WHERE i.tenant_id = ANY(%(tenants)s::bigint[]) AND i.id = ANY(%(ids)s::bigint[])
"""  # noqa: S608  constants only


def begin(tenants: Sequence[int], since: Any) -> Place:
    """Where somebody begins who wants what has changed since; without a time, with everything."""
    if since is None:
        return Place()
    horizon = _horizon()
    ((first,),) = _select(_FIRST, {"tenants": list(tenants), "since": since})
    start = horizon if first is None else min(horizon, first - 1)
    return Place(mark=start, incident=2**63 - 1, since=since, known=horizon)


def changes(tenants: Sequence[int], place: Place, limit: int) -> tuple[list[schema.Incident], Place, bool]:
    """At most ``limit`` incidents after ``place``, the place after them, and whether more is known. Needs a scope."""
    parameters = {
        "tenants": list(tenants), "mark": place.mark, "incident": place.incident, "limit": limit + 1,
        "since": place.since, "known": place.known, "horizon": _horizon(),
    }  # fmt: skip
    narrow = _SINCE if place.since else ""
    found = _select(_CHANGES.format(narrow=narrow), parameters)
    shown = found[:limit]
    if shown:
        mark, key, *_ = shown[-1]
        place = Place(mark=mark, incident=key, since=place.since, known=place.known)
    return [incident_of(row[1:]) for row in shown], place, len(found) > limit


def incidents_by_id(tenants: Sequence[int], ids: Sequence[int]) -> dict[int, schema.Incident]:
    """Incidents by primary key. Needs a scope."""
    return {row[0]: incident_of(row) for row in _select(_SOME, {"tenants": list(tenants), "ids": list(ids)})}


def incident_of(row: Sequence[Any]) -> schema.Incident:
    """One row of the columns above."""
    (_, slug, entra_id, number, name, status, remote_status, severity, remote_severity, assigned, *rest) = row
    classification, determination, created, updated_text, changed, target, gone, is_stub, *counts = rest
    alerts, evidence, host, account, link, tags, techniques = counts
    return schema.Incident(
        tenant=slug,
        tenant_id=str(UUID(str(entra_id))),
        number=number,
        name=name,
        status=KEY_OF_STATUS.get(status, "other"),  # type: ignore[arg-type]
        remote_status=remote_status,
        severity=Severity(severity).name.lower(),  # type: ignore[arg-type]
        remote_severity=remote_severity,
        assigned_to=assigned,
        classification=classification,
        determination=determination,
        created_at=created,
        last_update_time=updated_text,
        changed_at=changed,
        merged_into=target,
        gone_at=gone,
        is_readable=not is_stub,
        alert_count=alerts,
        evidence_count=evidence,
        host=host,
        account=account,
        tags=tags,
        techniques=techniques,
        link=portal_link(link),
    )


def _horizon() -> int:
    """Of now; a statement of its own, so that the rows are looked at afterwards."""
    ((horizon,),) = _select(_HORIZON, {})
    return int(horizon)


def _select(statement: str, parameters: dict[str, Any]) -> list[tuple[Any, ...]]:
    scope.current()  # raises outside a scope, as the managers do
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
