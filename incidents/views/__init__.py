"""What a browser asks of incidents."""

from incidents.views.find import find
from incidents.views.incident import alerts, changes, evidence, incident, raw
from incidents.views.queue import queue, queue_rows

__all__ = ["alerts", "changes", "evidence", "find", "incident", "queue", "queue_rows", "raw"]
