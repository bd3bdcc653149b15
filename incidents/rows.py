"""Incidents as read from Microsoft, turned into rows for the store's one statement.

Everything here is ours already: texts are storable, times are cut to microseconds and written by us, so PostgreSQL
never parses a time of Microsoft's (it would round the seventh digit up).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from defender.cleaning import clean_text
from defender.wire import PARSER_VERSION, WireAlert, WireIncident
from incidents.entries import Entry
from incidents.models import Severity, Status

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Version:
    """One incident as it shall stand in the database: the row, its alerts, and the bytes it was read from.

    ``known_alerts`` are the (alert id → digest) that stand unchanged under this incident and need no writing.
    """

    entry: Entry
    number: int
    row: Row
    incident: WireIncident | None


def version_of(entry: Entry, incident: WireIncident, *, now: datetime) -> Version:
    """The row of a readable incident."""
    row = {
        "number": incident.incident_id,
        "name": incident.name,
        "status": incident.status_code,
        "remote_status": incident.status,
        "severity": incident.severity_rank,
        "remote_severity": incident.severity,
        "is_open": incident.is_open,
        "assigned_to": incident.assigned_to,
        "classification": incident.classification,
        "determination": incident.determination,
        "created_at": incident.created_at,
        "updated_at": incident.updated_at or incident.created_at or now,
        "updated_text": incident.updated_text,
        "redirect_number": incident.redirect_incident_id,
        "alert_count": len(incident.alerts),
        "evidence_count": sum(len(alert.evidence) for alert in incident.alerts),
        "host": incident.host,
        "account": incident.account,
        "web_link": incident.web_link or "",
        "content_hash": _hex(entry.digest),
        "cleaned": incident.cleaned,
        "is_stub": False,
        "parser_version": PARSER_VERSION,
        "search": incident.search_text,
    }
    return Version(entry, incident.incident_id, row, incident)


def stub_of(entry: Entry, number: int, *, updated_at: datetime) -> Version:
    """The row in place of an incident nobody could read: open and of unknown severity, so that it is looked at."""
    name = f"Incident {number} could not be read"
    row = {
        "number": number,
        "name": name,
        "status": Status.OTHER.value,
        "remote_status": "",
        "severity": Severity.UNKNOWN.value,
        "remote_severity": "",
        "is_open": True,
        "assigned_to": None,
        "classification": "",
        "determination": "",
        "created_at": None,
        "updated_at": updated_at,
        # Straight from the bytes that nobody could read, so it may hold what PostgreSQL cannot.
        "updated_text": clean_text(entry.updated_text),
        "redirect_number": None,
        "alert_count": 0,
        "evidence_count": 0,
        "host": "",
        "account": "",
        "web_link": "",
        "content_hash": _hex(entry.digest),
        "cleaned": False,
        "is_stub": True,
        "parser_version": PARSER_VERSION,
        "search": f"{name.lower()}",
    }
    return Version(entry, number, row, None)


def head_of(version: Version) -> Row:
    """What the history compares, under the names of `incidents.history.FIELDS`."""
    tags = list(version.incident.tags) if version.incident else []
    return {**version.row, "tags": tags, "gone": False}


def alert_row(number: int, alert: WireAlert) -> Row:
    """One alert of incident ``number``."""
    return {
        "number": number,
        "alert_id": alert.alert_id,
        "title": alert.title,
        "description": alert.description,
        "category": alert.category,
        "status": alert.status,
        "severity": alert.severity_rank,
        "remote_severity": alert.severity,
        "service_source": alert.service_source,
        "detection_source": alert.detection_source,
        "classification": alert.classification,
        "determination": alert.determination,
        "investigation_state": alert.investigation_state,
        "assigned_to": alert.assigned_to or "",
        "actor": alert.actor,
        "threat_family": alert.threat_family,
        "techniques": alert.techniques,
        "created_at": alert.created_at,
        "updated_at": alert.updated_at,
        "resolved_at": alert.resolved_at,
        "first_activity_at": alert.first_activity_at,
        "last_activity_at": alert.last_activity_at,
        "content_hash": _hex(alert.hash),
    }


def evidence_rows(alert: WireAlert) -> list[Row]:
    """The evidence of one alert."""
    return [
        {
            "alert_id": alert.alert_id,
            "kind": evidence.kind,
            "value": evidence.value,
            "key": _hex(evidence.key),
            "verdict": evidence.verdict,
            "remediation_status": evidence.remediation_status,
            "first_seen_at": evidence.first_seen_at,
            "data": evidence.data,
        }
        for evidence in alert.evidence
    ]


def label_rows(versions: Iterable[Version]) -> list[Row]:
    """Tags and techniques of the incidents in the order sent; ``kind`` says which."""
    return [
        {"number": version.number, "kind": kind, "label": label, "position": position}
        for version in versions
        if version.incident is not None
        for kind, labels in (("tag", version.incident.tags), ("technique", version.incident.techniques))
        for position, label in enumerate(labels)
    ]


def comment_rows(versions: Iterable[Version]) -> list[Row]:
    """Comments by their position."""
    return [
        {
            "number": version.number,
            "position": position,
            "text": comment.text,
            "created_by": comment.created_by,
            "created_at": comment.created_at,
        }
        for version in versions
        if version.incident is not None
        for position, comment in enumerate(version.incident.comments)
    ]


def alerts_of(versions: Sequence[Version]) -> dict[str, tuple[int, WireAlert]]:
    """Every alert of the page once, with its incident's number. Listed twice, it belongs to the later incident.

    ``versions`` come oldest first.
    """
    found: dict[str, tuple[int, WireAlert]] = {}
    for version in versions:
        for alert in version.incident.alerts if version.incident else ():
            found[alert.alert_id] = (version.number, alert)
    return found


def _hex(digest: bytes) -> str:
    """How PostgreSQL reads bytea from text."""
    return "\\x" + digest.hex()
