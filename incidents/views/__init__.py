"""What a browser asks of incidents."""

from incidents.views.dashboard import dashboard
from incidents.views.export import export
from incidents.views.find import find
from incidents.views.incident import alerts, changes, evidence, history, incident, raw, sightings, story
from incidents.views.queue import queue, queue_facets, queue_freshness, queue_rows, queue_tenants, saved_view
from incidents.views.saved_views import change_view, choose_columns, default_view, remove_view, save_view

__all__ = [
    "alerts",
    "change_view",
    "changes",
    "choose_columns",
    "dashboard",
    "default_view",
    "evidence",
    "export",
    "find",
    "history",
    "incident",
    "queue",
    "queue_facets",
    "queue_freshness",
    "queue_rows",
    "queue_tenants",
    "raw",
    "remove_view",
    "save_view",
    "saved_view",
    "sightings",
    "story",
]
