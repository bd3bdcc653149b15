"""Sign-ins that were begun and have not come back: kept in the browser's session on the server, each spent once."""

import time
from typing import Any

from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest

from defender.sign_in import Flow

_KEY = "entra_flows"
# Entra ID gives people about ten minutes on its pages; several tabs may be open at once. Both limits are ours.
LIFE_SECONDS = 600
_MOST = 5


def keep(request: HttpRequest, flow: Flow, **more: Any) -> None:
    """Remember a sign-in under its state; the oldest ones are forgotten."""
    kept = dict(request.session.get(_KEY, {}))
    kept[flow["state"]] = {"flow": flow, "begun_at": time.time(), **more}
    newest = sorted(kept.items(), key=lambda item: item[1]["begun_at"])[-_MOST:]
    request.session[_KEY] = dict(newest)


def spend(request: HttpRequest, state: str) -> dict[str, Any] | None:
    """What was kept under the state, once: of two requests that bring the same state, one gets it.

    None where this browser began no such sign-in, or too long ago.
    """
    mine = dict(request.session.get(_KEY, {}))
    kept = _taken_from_store(request.session.session_key, state)
    if mine.pop(state, None) is not None:
        request.session[_KEY] = mine
    if not mine:
        forget_all(request)
    if kept is None or not 0 <= time.time() - kept["begun_at"] < LIFE_SECONDS:
        return None
    return kept


def forget_all(request: HttpRequest) -> None:
    """What this browser began counts no longer, in any of its tabs."""
    request.session.pop(_KEY, None)


def leave_nothing_empty(request: HttpRequest) -> None:
    """A session that was only there for a sign-in ends with it."""
    if not list(request.session.keys()):
        request.session.flush()


def _taken_from_store(session_key: str | None, state: str) -> dict[str, Any] | None:
    """Under the row's lock, since two requests of one browser may have read the session at the same time."""
    with transaction.atomic():
        row = Session.objects.select_for_update().filter(session_key=session_key or "").first()
        values = row.get_decoded() if row else {}
        taken: dict[str, Any] | None = values.get(_KEY, {}).pop(state, None)
        if row and taken is not None:
            row.session_data = Session.objects.encode(values)
            row.save(update_fields=["session_data"])
    return taken
