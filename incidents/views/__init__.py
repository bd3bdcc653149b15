"""What a browser asks of incidents."""

from incidents.views.incident import alerts, changes, evidence, incident, raw
from incidents.views.queue import queue, queue_facets, queue_freshness, queue_rows, queue_tenants, saved_view
from incidents.views.saved_views import change_view, choose_columns, default_view, remove_view, save_view

__all__ = [
    "alerts",
    "change_view",
    "changes",
    "choose_columns",
    "default_view",
    "evidence",
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
]
