"""The SQL of the store. One statement writes a page; four small ones look at what is known, lock, and count.

The statement takes each level as one JSON document and is a chain of data-modifying CTEs: what one level returns, the
next one joins. Identifiers are constants of this file; every value is a parameter. It runs on the driver's own cursor,
because Django's binds on the client and would write a megabyte of bytes into the text of the statement as hex.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from django.db import connection
from psycopg.rows import TupleRow

_INCIDENT = {
    "number": "bigint",
    "name": "text",
    "status": "smallint",
    "remote_status": "text",
    "severity": "smallint",
    "remote_severity": "text",
    "is_open": "boolean",
    "assigned_to": "text",
    "classification": "text",
    "determination": "text",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    "updated_text": "text",
    "redirect_number": "bigint",
    "alert_count": "integer",
    "evidence_count": "integer",
    "host": "text",
    "account": "text",
    "web_link": "text",
    "content_hash": "bytea",
    "cleaned": "boolean",
    "is_stub": "boolean",
    "parser_version": "smallint",
}
_ALERT = {
    "alert_id": "text",
    "title": "text",
    "description": "text",
    "category": "text",
    "status": "text",
    "severity": "smallint",
    "remote_severity": "text",
    "service_source": "text",
    "detection_source": "text",
    "classification": "text",
    "determination": "text",
    "investigation_state": "text",
    "assigned_to": "text",
    "actor": "text",
    "threat_family": "text",
    "techniques": "jsonb",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    "resolved_at": "timestamptz",
    "first_activity_at": "timestamptz",
    "last_activity_at": "timestamptz",
    "content_hash": "bytea",
}
_EVIDENCE = {
    "kind": "text",
    "value": "text",
    "key": "bytea",
    "verdict": "text",
    "remediation_status": "text",
    "first_seen_at": "timestamptz",
    "data": "jsonb",
}


def _names(columns: Mapping[str, str], prefix: str = "") -> str:
    return ", ".join(prefix + name for name in columns)


def _record(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


def _taken(columns: Mapping[str, str], *but: str) -> str:
    return ", ".join(f"{name} = excluded.{name}" for name in columns if name not in but)


# Rows are ordered, so that two writers that meet lock in the same order. RETURNING shows what was written; alerts that
# would not change are not returned, and with them their evidence is left alone. A row that was inserted has no xmax.
# Evidence is compared before it is inserted: even a refused ON CONFLICT DO UPDATE locks, and so writes, the row.
# What is to go is looked for under the keys just written, given as an array: a planner that joins instead may go
# through all that the tenant has, for every page.
_WRITE = f"""
WITH
i AS MATERIALIZED (SELECT * FROM jsonb_to_recordset(%(incidents)s::jsonb) AS x({_record(_INCIDENT)}, search text)),
stored AS (
    INSERT INTO incidents_incident AS mine (tenant_id, {_names(_INCIDENT)}, first_seen_at, changed_at)
    SELECT %(tenant)s, {_names(_INCIDENT, "i.")}, %(now)s, %(now)s FROM i ORDER BY i.number
    ON CONFLICT (tenant_id, number) DO UPDATE
        SET {_taken(_INCIDENT, "number")}, changed_at = excluded.changed_at, gone_at = NULL
    RETURNING id, number
),
raw AS (
    INSERT INTO incidents_incidentraw (incident_id, tenant_id, body)
    SELECT stored.id, %(tenant)s, sent.body
    FROM unnest(%(numbers)s::bigint[], %(bodies)b::bytea[]) AS sent(number, body) JOIN stored USING (number)
    ON CONFLICT (incident_id) DO UPDATE SET body = excluded.body
),
searched AS (
    INSERT INTO incidents_incidentsearch AS mine (incident_id, tenant_id, text)
    SELECT stored.id, %(tenant)s, i.search FROM i JOIN stored USING (number)
    ON CONFLICT (incident_id) DO UPDATE SET text = excluded.text WHERE mine.text <> excluded.text
),
l AS MATERIALIZED (
    SELECT stored.id, x.kind, x.label, x.position
    FROM jsonb_to_recordset(%(labels)s::jsonb) AS x(number bigint, kind text, label text, position integer)
        JOIN stored USING (number)
),
earlier AS MATERIALIZED (SELECT id FROM stored WHERE number = ANY (%(known)s::bigint[])),
tags_in AS (
    INSERT INTO incidents_incidenttag (tenant_id, incident_id, tag)
    SELECT %(tenant)s, l.id, l.label FROM l WHERE l.kind = 'tag' ORDER BY l.id, l.position
    ON CONFLICT DO NOTHING
),
tags_out AS (
    DELETE FROM incidents_incidenttag mine
    WHERE mine.tenant_id = %(tenant)s AND mine.incident_id = ANY (ARRAY(SELECT id FROM earlier))
        AND NOT EXISTS (SELECT 1 FROM l WHERE l.id = mine.incident_id AND l.kind = 'tag' AND l.label = mine.tag)
),
techniques_in AS (
    INSERT INTO incidents_incidenttechnique (tenant_id, incident_id, technique)
    SELECT %(tenant)s, l.id, l.label FROM l WHERE l.kind = 'technique' ORDER BY l.id, l.position
    ON CONFLICT DO NOTHING
),
techniques_out AS (
    DELETE FROM incidents_incidenttechnique mine
    WHERE mine.tenant_id = %(tenant)s AND mine.incident_id = ANY (ARRAY(SELECT id FROM earlier)) AND NOT EXISTS (
        SELECT 1 FROM l WHERE l.id = mine.incident_id AND l.kind = 'technique' AND l.label = mine.technique)
),
c AS MATERIALIZED (
    SELECT stored.id, x.position, x.text, x.created_by, x.created_at
    FROM jsonb_to_recordset(%(comments)s::jsonb)
        AS x(number bigint, position integer, text text, created_by text, created_at timestamptz)
        JOIN stored USING (number)
),
comments_in AS (
    INSERT INTO incidents_comment AS mine (tenant_id, incident_id, position, text, created_by, created_at)
    SELECT %(tenant)s, c.id, c.position, c.text, c.created_by, c.created_at FROM c
    ON CONFLICT (tenant_id, incident_id, position) DO UPDATE
        SET text = excluded.text, created_by = excluded.created_by, created_at = excluded.created_at
        WHERE (mine.text, mine.created_by, mine.created_at)
            IS DISTINCT FROM (excluded.text, excluded.created_by, excluded.created_at)
),
comments_out AS (
    DELETE FROM incidents_comment mine
    WHERE mine.tenant_id = %(tenant)s AND mine.incident_id = ANY (ARRAY(SELECT id FROM earlier))
        AND NOT EXISTS (SELECT 1 FROM c WHERE c.id = mine.incident_id AND c.position = mine.position)
),
alerts_in AS (
    INSERT INTO incidents_alert AS mine (tenant_id, incident_id, {_names(_ALERT)})
    SELECT %(tenant)s, stored.id, {_names(_ALERT, "x.")}
    FROM jsonb_to_recordset(%(alerts)s::jsonb) AS x(number bigint, {_record(_ALERT)}) JOIN stored USING (number)
    ORDER BY x.alert_id
    ON CONFLICT (tenant_id, alert_id) DO UPDATE
        SET incident_id = excluded.incident_id, {_taken(_ALERT, "alert_id")}, gone_at = NULL
        WHERE %(reread)s OR mine.gone_at IS NOT NULL
            OR (mine.content_hash, mine.incident_id) IS DISTINCT FROM (excluded.content_hash, excluded.incident_id)
    RETURNING id, alert_id, xmax = 0 AS is_new
),
alerts_out AS (
    UPDATE incidents_alert mine SET gone_at = %(now)s
    WHERE mine.tenant_id = %(tenant)s AND mine.id = ANY (%(gone)s::bigint[]) AND mine.gone_at IS NULL
),
e AS MATERIALIZED (
    SELECT alerts_in.id, alerts_in.is_new, {_names(_EVIDENCE, "x.")}
    FROM jsonb_to_recordset(%(evidence)s::jsonb) AS x(alert_id text, {_record(_EVIDENCE)})
        JOIN alerts_in USING (alert_id)
),
evidence_in AS (
    INSERT INTO incidents_evidence AS mine (tenant_id, alert_id, {_names(_EVIDENCE)})
    SELECT %(tenant)s, e.id, {_names(_EVIDENCE, "e.")} FROM e
    WHERE e.is_new OR NOT EXISTS (
        SELECT 1 FROM incidents_evidence same
        WHERE same.tenant_id = %(tenant)s AND same.alert_id = e.id AND same.key = e.key
            AND ({_names(_EVIDENCE, "same.")}) IS NOT DISTINCT FROM ({_names(_EVIDENCE, "e.")}))
    ON CONFLICT (tenant_id, alert_id, key) DO UPDATE SET {_taken(_EVIDENCE, "key")}
),
evidence_out AS (
    DELETE FROM incidents_evidence mine
    WHERE mine.tenant_id = %(tenant)s AND mine.alert_id = ANY (ARRAY(SELECT id FROM alerts_in WHERE NOT is_new))
        AND NOT EXISTS (SELECT 1 FROM e WHERE e.id = mine.alert_id AND e.key = mine.key)
),
changes_in AS (
    INSERT INTO incidents_incidentchange (tenant_id, incident_id, seen_at, updated_at, differences, by)
    SELECT %(tenant)s, stored.id, %(now)s, i.updated_at, x.differences, ''
    FROM jsonb_to_recordset(%(changes)s::jsonb) AS x(number bigint, differences jsonb)
        JOIN stored USING (number) JOIN i USING (number)
    ORDER BY i.updated_at, i.number
)
SELECT count(*) FROM stored
"""  # noqa: S608  only the constants above are pasted in

_KNOWN = """
SELECT number, content_hash, parser_version, gone_at IS NOT NULL
FROM incidents_incident WHERE tenant_id = %s AND number = ANY (%s::bigint[])
"""

# From the head on, the columns are what the history compares beside some of those before (`incidents.history.FIELDS`).
HEAD = ("name", "remote_status", "remote_severity", "assigned_to", "classification", "determination", "alert_count")
_LOCK = f"""
SELECT number, id, content_hash, updated_text, parser_version, status, severity, assigned_to IS NULL, redirect_number,
    is_stub, gone_at IS NOT NULL, {", ".join(HEAD)},
    ARRAY(SELECT t.tag FROM incidents_incidenttag t WHERE t.tenant_id = mine.tenant_id AND t.incident_id = mine.id)
FROM incidents_incident mine WHERE tenant_id = %s AND number = ANY (%s::bigint[]) ORDER BY number FOR UPDATE
"""  # noqa: S608  only the constants above are pasted in

_ALERTS = """
SELECT i.number, a.id, a.alert_id, a.content_hash, a.gone_at IS NOT NULL
FROM incidents_alert a JOIN incidents_incident i ON i.tenant_id = a.tenant_id AND i.id = a.incident_id
WHERE a.tenant_id = %s AND a.incident_id = ANY (%s::bigint[])
"""

# Writers of one tenant's incidents line up here, also those without a lease; readers are not held up. The first number
# only keeps these locks apart from other uses of advisory locks.
_LINE_UP = "SELECT pg_advisory_xact_lock(20710, %s)"


@contextmanager
def driver_cursor() -> Iterator[psycopg.Cursor[TupleRow]]:
    """The driver's own cursor in Django's transaction; errors come as Django's."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        yield cursor


def known(tenant_id: int, numbers: Sequence[int]) -> list[tuple[int, bytes, int, bool]]:
    """(number, digest, parser version, is gone?) of the incidents we hold. Locks nothing and writes nothing."""
    found: list[tuple[int, bytes, int, bool]] = _rows(_KNOWN, tenant_id, numbers)
    return found


def lock(tenant_id: int, numbers: Sequence[int]) -> list[TupleRow]:
    """Line up with other writers of this tenant, then the incidents as they now are, locked in the order of numbers."""
    with driver_cursor() as cursor:
        # Two integers of 32 bits; a tenant's key grows by one per customer and stays far below.
        cursor.execute(_LINE_UP, (tenant_id,))
        return cursor.execute(_LOCK, (tenant_id, list(numbers))).fetchall()


def alerts(tenant_id: int, incident_ids: Sequence[int]) -> list[tuple[int, int, str, bytes, bool]]:
    """(incident number, key, alert id, digest, is gone?) of the alerts that stand under these incidents."""
    found: list[tuple[int, int, str, bytes, bool]] = _rows(_ALERTS, tenant_id, incident_ids) if incident_ids else []
    return found


def write(parameters: Mapping[str, Any]) -> int:
    """Write a page's changed incidents with all that hangs on them. Returns how many."""
    with driver_cursor() as cursor:
        row = cursor.execute(_WRITE.encode(), parameters).fetchone()
    return int(row[0]) if row else 0


def _rows(query: LiteralString, tenant_id: int, values: Sequence[int]) -> Any:
    with driver_cursor() as cursor:
        return cursor.execute(query, (tenant_id, list(values))).fetchall()
