"""Appending to the audit log: in the caller's transaction, so that no audit means no action."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection

from audit.models import Outcome


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: ``name`` as the log shows it, with request id and network address where there is a request."""

    name: str
    request_id: str = ""
    address: str = ""


WORKER = Actor("worker")
COMMAND_LINE = Actor("command line")
CUSTOMER_ADMIN = "customer's administrator (not signed in)"


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log. ``details`` holds plain facts and never a secret, token, or incident content."""

    by: Actor
    action: str
    tenant: UUID | None = None
    subject: str = ""
    outcome: str = Outcome.DONE
    details: Mapping[str, Any] = field(default_factory=dict)


def record(*events: Event) -> None:
    """Append the events in one statement. Raises django.db.DatabaseError where the log cannot be written."""
    rows = [
        {
            "actor": _storable(event.by.name),
            "action": _storable(event.action),
            "tenant": str(event.tenant) if event.tenant else None,
            "subject": _storable(event.subject),
            "outcome": event.outcome,
            "details": _storable(dict(event.details)),
            "request_id": _storable(event.by.request_id),
            "address": _storable(event.by.address),
        }
        for event in events
    ]
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_append(%s::jsonb)", [json.dumps(rows)])


def _storable(value: Any) -> Any:
    """PostgreSQL stores neither NUL nor lone surrogates in text, and JSON knows few kinds of value."""
    if isinstance(value, Mapping):
        return {_storable(str(key)): _storable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_storable(inner) for inner in value]
    if value is None or isinstance(value, bool | int):
        return value
    return str(value).replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
