"""Everything the page of one incident shows, in a bounded number of bounded queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.db.models import QuerySet

from defender import vocabulary
from incidents.attack import Technique, named
from incidents.evidence_tables import EvidenceTable, evidence_tables
from incidents.filters import KEY_OF_STATUS
from incidents.history import ChangeLine, history_of
from incidents.models import Alert, Comment, Incident, IncidentTag, IncidentTechnique, Severity
from incidents.queue import severity_word, status_word
from incidents.story import Story, story_of

# Ours: alerts on the page at once, and after "show all". Microsoft allows 150 alerts in an incident.
FIRST_ALERTS = 20
ALL_ALERTS = 1_000
COMMENTS = 200
TAGS = 100
TECHNIQUES = 200
MERGED = 20
# Hosts of Microsoft's portals in its clouds; a link to any other host is shown as text.
PORTAL_HOSTS = frozenset({"security.microsoft.com", "security.microsoft.us", "security.apps.mil"})


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands at the top: words for people and keys for shapes."""

    severity: str
    severity_word: str
    status: str
    status_word: str
    classification: str
    determination: str


@dataclass(frozen=True, slots=True)
class AlertLine:
    """One alert of the timeline."""

    alert: Alert
    severity: str
    severity_word: str
    status: str
    status_word: str
    facts: Sequence[tuple[str, str]]
    at: datetime | None


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """``alerts``, ``story`` and each table's rows may be fewer than their totals; ``history`` is the newest of it."""

    incident: Incident
    heading: Heading
    alerts: Sequence[AlertLine]
    alert_total: int
    story: Story
    evidence: Sequence[EvidenceTable]
    tags: Sequence[str]
    techniques: Sequence[Technique]
    comments: Sequence[Comment]
    history: Sequence[ChangeLine]
    history_more: bool
    merged_from: Sequence[int]
    merged_from_more: bool
    link: str

    @property
    def evidence_total(self) -> int:
        """Pieces of evidence, each counted once."""
        return sum(table.total for table in self.evidence)

    @property
    def alerts_hidden(self) -> int:
        """Alerts that are not on the page yet."""
        return self.alert_total - len(self.alerts)


def incident_page(incident: Incident) -> IncidentPage:
    """The page of an incident that ``access_incident`` has let through."""
    tenant = incident.tenant_id
    alerts = alert_lines(incident, 0, FIRST_ALERTS + 1)
    total = len(alerts) if len(alerts) <= FIRST_ALERTS else _alerts_of(incident).count()
    tags = IncidentTag.objects.filter(tenant_id=tenant, incident=incident).order_by("tag")
    techniques = IncidentTechnique.objects.filter(tenant_id=tenant, incident=incident)
    merged = Incident.objects.filter(tenant_id=tenant, redirect_number=incident.number).order_by("number")
    history, history_more = history_of(incident)
    numbers = list(merged.values_list("number", flat=True)[: MERGED + 1])
    return IncidentPage(
        incident=incident,
        heading=_heading(incident),
        alerts=alerts[:FIRST_ALERTS],
        alert_total=total,
        story=story_of(incident),
        evidence=evidence_tables(incident),
        tags=list(tags.values_list("tag", flat=True)[:TAGS]),
        techniques=named(techniques.order_by("technique").values_list("technique", flat=True)[:TECHNIQUES]),
        comments=list(Comment.objects.filter(tenant_id=tenant, incident=incident).order_by("position")[:COMMENTS]),
        history=history,
        history_more=history_more,
        merged_from=numbers[:MERGED],
        merged_from_more=len(numbers) > MERGED,
        link=portal_link(incident.web_link),
    )


def alert_lines(incident: Incident, first: int, last: int) -> list[AlertLine]:
    """Alerts of the timeline by position, oldest activity first."""
    return [_line(alert) for alert in _alerts_of(incident)[first:last]]


def has_alert(incident: Incident, alert_id: str) -> bool:
    """Whether the incident lists the alert now."""
    return _alerts_of(incident).filter(alert_id=alert_id).exists()


def portal_link(address: str) -> str:
    """The address where it is https and leads to one of Microsoft's portals, else blank."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return ""
    host = (parts.hostname or "").lower()
    ours = host in PORTAL_HOSTS or host.endswith(tuple(f".{name}" for name in PORTAL_HOSTS))
    plain = parts.username is None and port in (None, 443) and "\\" not in address and address.isprintable()
    return address if parts.scheme == "https" and ours and plain else ""


def _alerts_of(incident: Incident) -> QuerySet[Alert]:
    found = Alert.objects.filter(tenant_id=incident.tenant_id, incident=incident, gone_at=None)
    return found.order_by("first_activity_at", "id")


def _heading(incident: Incident) -> Heading:
    return Heading(
        severity=Severity(incident.severity).name.lower(),
        severity_word=severity_word(incident.severity, incident.remote_severity),
        status=KEY_OF_STATUS.get(incident.status, "other"),
        status_word=status_word(incident.status, incident.remote_status),
        classification=vocabulary.label(incident.classification, vocabulary.CLASSIFICATIONS),
        determination=vocabulary.label(incident.determination, vocabulary.DETERMINATIONS),
    )


def _line(alert: Alert) -> AlertLine:
    return AlertLine(
        alert=alert,
        severity=Severity(alert.severity).name.lower(),
        severity_word=severity_word(alert.severity, alert.remote_severity),
        status=_alert_status(alert.status),
        status_word=alert.status or "Not given",
        facts=_facts(alert),
        at=alert.first_activity_at or alert.created_at,
    )


def _alert_status(word: str) -> str:
    known = {"new": "active", "active": "active", "inprogress": "in-progress", "resolved": "resolved"}
    return known.get(vocabulary.slug(word), "other")


def _facts(alert: Alert) -> list[tuple[str, str]]:
    techniques = alert.techniques if isinstance(alert.techniques, list) else []
    names = (f"{one.id} {one.name}".strip() for one in named(str(one) for one in techniques[:TECHNIQUES]))
    facts = [
        ("Category", alert.category),
        ("Techniques", ", ".join(names)),
        ("Service", vocabulary.label(alert.service_source, vocabulary.SERVICES) if alert.service_source else ""),
        ("Detected by", alert.detection_source),
        ("Investigation", _investigation(alert.investigation_state)),
        ("Classification", vocabulary.label(alert.classification, vocabulary.CLASSIFICATIONS)),
        ("Determination", vocabulary.label(alert.determination, vocabulary.DETERMINATIONS)),
        ("Assigned to", alert.assigned_to),
        ("Actor", alert.actor),
        ("Threat family", alert.threat_family),
        ("Alert id", alert.alert_id),
    ]
    return [(label, value) for label, value in facts if value and value != "Not set"]


def _investigation(word: str) -> str:
    return vocabulary.label(word, vocabulary.INVESTIGATION_STATES) if word else ""
