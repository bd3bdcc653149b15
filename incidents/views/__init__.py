"""What a browser asks of incidents."""

from incidents.views.dashboard import dashboard
from incidents.views.incident import alerts, changes, evidence, history, incident, raw, sightings, story
from incidents.views.queue import queue, queue_rows

__all__ = [
    "alerts",
    "changes",
    "dashboard",
    "evidence",
    "history",
    "incident",
    "queue",
    "queue_rows",
    "raw",
    "sightings",
    "story",
]
