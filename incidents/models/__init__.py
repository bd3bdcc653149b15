"""The tables of this app, by subject."""

from incidents.models.content import Alert, Comment, Evidence, IncidentTag, IncidentTechnique
from incidents.models.daily import Daily
from incidents.models.incident import Incident, IncidentRaw, IncidentSearch, Severity, Status
from incidents.models.keeping import Absence, Quarantine, Rollup

__all__ = [
    "Absence",
    "Alert",
    "Comment",
    "Daily",
    "Evidence",
    "Incident",
    "IncidentRaw",
    "IncidentSearch",
    "IncidentTag",
    "IncidentTechnique",
    "Quarantine",
    "Rollup",
    "Severity",
    "Status",
]
