"""The attack story: what happened when, across all alerts of an incident, oldest first.

A moment is an alert (by its first activity), a process (by its start, where Microsoft gives it) or another piece of
evidence (by when it was noted). The same piece in several alerts is one moment, its earliest. Devices are left out:
the time that comes with them is when they were first seen at all. What has no time is not in the story; it stands
among alerts and evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

from defender.times import parse_time
from incidents.evidence_tables import OF_INCIDENT
from incidents.models import Alert, Evidence, Incident, Severity
from incidents.queue import severity_word

# Ours: moments on the page at once, and after "show all".
FIRST: Final = 15
ALL: Final = 1_000

# Times are compared as texts of one form, cut to microseconds: a time that an attacker has a hand in may have the form
# of one and still be none (the 45th of a month), which no cast of PostgreSQL would forgive.
MOMENTS = rf"""
WITH pieces AS (
    SELECT max(e.id) AS id, min(coalesce(
        CASE WHEN e.kind = 'process'
              AND e.data->>'processCreationTime' ~ '^\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{{1,9}})?Z?$'
             THEN left(rtrim(e.data->>'processCreationTime', 'Z'), 26) END,
        to_char(e.first_seen_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')) COLLATE "C") AS at
    FROM incidents_evidence e
    WHERE {OF_INCIDENT} AND e.kind <> 'device'
    GROUP BY e.kind, CASE WHEN e.kind = 'process' THEN concat_ws(
            ' ', e.data->>'deviceId', e.data->>'processId', e.data->>'processCreationTime', e.value)
        ELSE encode(e.key, 'hex') END),
moments AS (
    SELECT to_char(coalesce(first_activity_at, created_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US')
        COLLATE "C" AS at, true AS is_alert, id
    FROM incidents_alert WHERE tenant_id = %(tenant)s AND incident_id = %(incident)s AND gone_at IS NULL
    UNION ALL SELECT at, false, id FROM pieces)
SELECT at, is_alert, id, count(*) OVER () FROM moments WHERE at IS NOT NULL
ORDER BY at, is_alert DESC, id LIMIT %(limit)s OFFSET %(first)s
"""  # noqa: S608  only a constant is pasted in
# What is said of a piece of evidence in front of its text; other kinds are called by their name.
LABELS: Final = {
    "process": "Process",
    "file": "File",
    "user": "User",
    "ip": "IP address",
    "url": "URL",
    "mailmessage": "Mail",
    "mailbox": "Mailbox",
    "mailcluster": "Mail cluster",
    "registry": "Registry",
    "oauthapplication": "App",
    "securitygroup": "Security group",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """``severity`` is blank but for alerts; ``detail`` is a second, lesser line. ``at`` is None where it is no time."""

    at: datetime | None
    label: str
    text: str
    detail: str = ""
    severity: str = ""
    severity_word: str = ""
    verdict: str = ""
    is_address: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """Some moments of ``total``; ``hidden`` is how many come after them."""

    moments: Sequence[Moment]
    total: int
    hidden: int


def story_of(incident: Incident, *, first: int = 0, last: int = FIRST) -> Story:
    """The moments from place ``first`` up to ``last``. Three queries."""
    rows = _placed(incident, first, last)
    tenant = incident.tenant_id
    alerts = Alert.objects.filter(tenant_id=tenant).in_bulk([key for _, is_alert, key, _ in rows if is_alert])
    pieces = Evidence.objects.filter(tenant_id=tenant).in_bulk([key for _, is_alert, key, _ in rows if not is_alert])
    moments = [
        _alert(parse_time(f"{at}Z"), alerts[key]) if is_alert else _piece(parse_time(f"{at}Z"), pieces[key])
        for at, is_alert, key, _ in rows
        if key in (alerts if is_alert else pieces)
    ]
    total = rows[0][3] if rows else 0
    return Story(moments, total, max(0, total - last))


def _placed(incident: Incident, first: int, last: int) -> list[tuple[str, bool, int, int]]:
    parameters = {"tenant": incident.tenant_id, "incident": incident.pk, "first": first, "limit": last - first}
    with connection.cursor() as cursor:
        cursor.execute(MOMENTS, parameters)
        found: list[tuple[str, bool, int, int]] = cursor.fetchall()
    return found


def _alert(at: datetime | None, alert: Alert) -> Moment:
    return Moment(
        at=at,
        label="Alert",
        text=alert.title or "(no title)",
        severity=Severity(alert.severity).name.lower(),
        severity_word=severity_word(alert.severity, alert.remote_severity),
    )


def _piece(at: datetime | None, piece: Evidence) -> Moment:
    data = piece.data if isinstance(piece.data, dict) else {}
    return Moment(
        at=at,
        label=LABELS.get(piece.kind) or piece.kind.removeprefix("other:") or "Evidence",
        text=_text(piece, data),
        detail=_detail(piece.kind, data),
        verdict=piece.verdict,
        is_address=piece.kind in {"url", "ip"},
    )


def _text(piece: Evidence, data: dict[str, Any]) -> str:
    named = {"process": ("processCommandLine", "fileName"), "mailmessage": ("subject",), "file": ("fileName",)}
    found = next((str(data[name]) for name in named.get(piece.kind, ()) if data.get(name)), "")
    return found or piece.value or "(no value given)"


def _detail(kind: str, data: dict[str, Any]) -> str:
    def of(name: str) -> str:
        return str(data.get(name) or "")

    if kind == "process" and of("parentProcessFileName"):
        return f"started by {of('parentProcessFileName')}"
    if kind == "mailmessage":
        parts = (("from", of("sender")), ("to", of("recipient")), ("", of("deliveryAction")))
        return " ".join(f"{word} {value}".strip() for word, value in parts if value)
    return of("filePath") if kind == "file" else ""
