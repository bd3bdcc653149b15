"""Incidents as JSON lines, for other programs and for comparing ours with Microsoft's."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from django.db import connection

from defender.decoding import Unreadable, decode
from tenants.models import Tenant

# What an export tells of an incident, in the order in which the statements select it; the alerts' ids follow.
NAMES: Final = (
    *("incident_id", "last_update_time", "status", "severity", "name", "assigned_to", "classification"),
    *("determination", "redirect_incident_id", "tags"),
)
# Tags and alerts as arrays of their own, so that each incident is one row. Columns come before the bytes, since a line
# begins with them.
_QUERY = """
SELECT i.number, i.updated_text, i.remote_status, i.remote_severity, i.name, i.assigned_to, i.classification,
    i.determination, i.redirect_number,
    ARRAY(SELECT t.tag FROM incidents_incidenttag t
        WHERE t.tenant_id = i.tenant_id AND t.incident_id = i.id ORDER BY t.id),
    ARRAY(SELECT a.alert_id FROM incidents_alert a
        WHERE a.tenant_id = i.tenant_id AND a.incident_id = i.id AND a.gone_at IS NULL ORDER BY a.id),
    i.is_stub, r.body,
    CASE WHEN i.is_stub THEN (SELECT q.reason FROM incidents_quarantine q
        WHERE q.tenant_id = i.tenant_id AND q.number = i.number ORDER BY q.id DESC LIMIT 1) END
FROM incidents_incident i LEFT JOIN incidents_incidentraw r ON r.tenant_id = i.tenant_id AND r.incident_id = i.id
WHERE i.tenant_id = %s ORDER BY i.number
"""


def lines_of(tenant: Tenant) -> Iterator[str]:
    """One JSON object per incident without a line break, by number. Needs the tenant's scope, read through a cursor on
    the server.

    Keys: tenant_id, incident_id, last_update_time (with every digit sent), status, severity, name, assigned_to,
    classification, determination, redirect_incident_id, tags, alerts (each with alert_id), raw; and quarantined, the
    reason, where the incident could not be read and raw is therefore null.
    """
    with connection.chunked_cursor() as cursor:
        cursor.execute(_QUERY, [tenant.pk])
        for row in cursor:
            yield _line(str(tenant.entra_id), row)


def _line(tenant_id: str, row: tuple[Any, ...]) -> str:
    *told, is_stub, body, reason = row
    fields = {"tenant_id": tenant_id, **fields_of(told)}
    if is_stub:
        fields["quarantined"] = reason or "unreadable"
    raw = "null" if is_stub or body is None else as_one_line(bytes(body))
    return f'{msgspec.json.encode(fields).decode()[:-1]},"raw":{raw}}}'


def fields_of(row: Sequence[Any]) -> dict[str, Any]:
    """What every export tells of an incident, by the name it has in a line: from the number to the alerts' ids."""
    *columns, alert_ids = row
    return {**dict(zip(NAMES, columns, strict=True)), "alerts": [{"alert_id": alert_id} for alert_id in alert_ids]}


def as_one_line(body: bytes) -> str:
    """The bytes as they are where they are valid JSON on one line; else equal to them as JSON.

    What only the tolerant reader can decode (NaN, a control character inside a text) comes as it was read.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").decode(errors="replace")
    try:
        tree = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _as_read(body)
    if "\n" in text or "\r" in text:
        return json.dumps(tree, separators=(",", ":"))
    return text


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON.")


def _as_read(body: bytes) -> str:
    try:
        return json.dumps(decode(body)[0], separators=(",", ":"))
    except (Unreadable, ValueError):
        return "null"
