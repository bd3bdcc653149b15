"""The tables of this app, by subject."""

from incidents.models.assignee import Assignee, TenantAssignee
from incidents.models.change import IncidentChange
from incidents.models.content import Alert, Comment, Evidence, IncidentTag, IncidentTechnique
from incidents.models.incident import Incident, IncidentRaw, IncidentSearch, Severity, Status
from incidents.models.keeping import Absence, Quarantine, Rollup
from incidents.models.outbox import CANCELLABLE, SETTLED, UNSENT, WAITING, Batch, Delivery, Field, Intent, IntentState
from incidents.models.views import QueuePreference, SavedView

__all__ = [
    "CANCELLABLE",
    "SETTLED",
    "UNSENT",
    "WAITING",
    "Absence",
    "Alert",
    "Assignee",
    "Batch",
    "Comment",
    "Delivery",
    "Evidence",
    "Field",
    "Incident",
    "IncidentChange",
    "IncidentRaw",
    "IncidentSearch",
    "IncidentTag",
    "IncidentTechnique",
    "Intent",
    "IntentState",
    "Quarantine",
    "QueuePreference",
    "Rollup",
    "SavedView",
    "Severity",
    "Status",
    "TenantAssignee",
]
