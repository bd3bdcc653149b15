"""The queue's saved views and each person's preferences: filters under a name, with an address that stays.

A view holds filters and never data. Anybody may share a view of theirs; its owner changes it, and staff change shared
ones too. Whom a shared view names tenants to that they may not see is not told their names: see ``queue.for_person``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.http import Http404, QueryDict

from accounts.models import User
from audit.record import Actor, Event, record
from defender.cleaning import clean_text
from incidents.columns import COLUMNS, Columns, columns_of
from incidents.filters import Filters, query_for, read_filters
from incidents.models import QueuePreference, SavedView
from incidents.models.views import MAX_NAME

MAX_VIEWS = 100  # ours, per person: a menu has to be read


class BadView(ValueError):
    """The view cannot be kept so; the text is a sentence for whoever made it."""


@dataclass(frozen=True, slots=True)
class Preference:
    """``default`` is the view that the queue opens with; None for "open, worth attention"."""

    default: SavedView | None
    columns: Columns


def views_for(user: User) -> list[SavedView]:
    """The person's own views and shared ones of others, each with its owner: own ones first, by name. One query."""
    rows = SavedView.objects.filter(Q(owner=user) | Q(is_shared=True)).select_related("owner")
    return sorted(rows, key=lambda view: (view.owner_id != user.pk, view.name.casefold(), view.pk))


def access_view(user: User, key: UUID, *, to_change: bool = False) -> SavedView:
    """The view with this key. Http404 where it is neither the person's nor shared, PermissionDenied where it is shared
    and not theirs to change.
    """
    mine = SavedView.objects.filter(Q(owner=user) | Q(is_shared=True)).select_related("owner")
    found = mine.filter(key=key).first()
    if found is None:
        raise Http404
    if to_change and not may_change(user, found):
        raise PermissionDenied
    return found


def may_change(user: User, view: SavedView) -> bool:
    """Its owner, and staff where it is shared."""
    return view.owner_id == user.pk or (view.is_shared and user.is_staff)


def filters_of(view: SavedView) -> Filters:
    """The view's filters, as they were kept."""
    return read_filters(QueryDict(view.query))


def save_view(*, user: User, name: str, filters: Filters, share: bool, by: Actor, now: datetime) -> SavedView:
    """Keep filters under a name; raises BadView."""
    if SavedView.objects.filter(owner=user).count() >= MAX_VIEWS:
        raise BadView(f"You have {MAX_VIEWS} views already. Remove one first.")
    view = SavedView(owner=user, name=checked_name(name), query=query_for(filters), is_shared=share, created_at=now)
    _keep(view, by=by, action="save view", now=now)
    return view


def change_view(
    *, user: User, view: SavedView, name: str, filters: Filters | None, share: bool, by: Actor, now: datetime
) -> None:
    """Another name, other filters (None: as they were), shared or not; raises BadView. Only its owner stops sharing."""
    view.name = checked_name(name)
    view.query = view.query if filters is None else query_for(filters)
    view.is_shared = share if view.owner_id == user.pk else view.is_shared
    _keep(view, by=by, action="change view", now=now)


def remove_view(*, view: SavedView, by: Actor, now: datetime) -> None:
    """Gone for everybody; whose default it was begins with open incidents again."""
    with transaction.atomic():
        _note(view, by=by, action="remove view", now=now)
        view.delete()


def preference_of(user: User) -> Preference:
    """How the person wants the queue. One query. A default that is no longer shared with them is none."""
    kept = QueuePreference.objects.filter(user=user).select_related("default_view").first()
    if kept is None:
        return Preference(None, Columns())
    view = kept.default_view
    is_open = view is not None and (view.is_shared or view.owner_id == user.pk)
    return Preference(view if is_open else None, columns_of(kept.columns))


def make_default(*, user: User, view: SavedView | None, by: Actor, now: datetime) -> None:
    """The view that the queue opens with for this person; None for the portal's own."""
    _prefer(user, by=by, now=now, said=f"view {view.key}" if view else "none", default_view=view)


def choose_columns(*, user: User, columns: Sequence[str], by: Actor, now: datetime) -> None:
    """The columns that this person sees; names that do not exist are left aside."""
    chosen = [name for name in COLUMNS if name in columns]
    _prefer(user, by=by, now=now, said=", ".join(chosen) or "none", columns=chosen)


def checked_name(name: str) -> str:
    """The name as it is kept; raises BadView."""
    cleaned = " ".join(clean_text(name).split())
    if not cleaned:
        raise BadView("A view needs a name. Type one and save again.")
    if len(cleaned) > MAX_NAME or not cleaned.isprintable():
        raise BadView(f"A name has at most {MAX_NAME} characters, all of them visible. Shorten it and save again.")
    return cleaned


def _keep(view: SavedView, *, by: Actor, action: str, now: datetime) -> None:
    view.changed_at = now
    try:
        with transaction.atomic():
            view.save(update_fields=["name", "query", "is_shared", "changed_at"] if view.pk else None)
            _note(view, by=by, action=action, now=now)
    except IntegrityError as refused:
        raise BadView(f"There is a view named “{view.name}” already. Choose another name.") from refused


def _note(view: SavedView, *, by: Actor, action: str, now: datetime) -> None:
    details = {"shared": view.is_shared, "at": now.isoformat(timespec="seconds")}
    record(Event(by=by, action=action, subject=f"view {view.key}", details=details))


def _prefer(user: User, *, by: Actor, now: datetime, said: str, **wanted: object) -> None:
    with transaction.atomic():
        QueuePreference.objects.update_or_create(user=user, defaults=wanted)
        details = {"wanted": said, "at": now.isoformat(timespec="seconds")}
        record(Event(by=by, action="set up the queue", subject=str(user), details=details))
