"""The tables of this app, by subject."""

from incidents.models.content import Alert, Comment, Evidence, IncidentTag, IncidentTechnique
from incidents.models.incident import Incident, IncidentRaw, IncidentSearch, Severity, Status
from incidents.models.keeping import Absence, Quarantine, Rollup
from incidents.models.views import QueuePreference, SavedView

__all__ = [
    "Absence",
    "Alert",
    "Comment",
    "Evidence",
    "Incident",
    "IncidentRaw",
    "IncidentSearch",
    "IncidentTag",
    "IncidentTechnique",
    "Quarantine",
    "QueuePreference",
    "Rollup",
    "SavedView",
    "Severity",
    "Status",
]
