"""The scope: which tenants the code that runs now may touch. Outside a scope nothing tenant-owned can be read.

This module guards a boundary. Three locks stand one behind the other:

1. queries say themselves which tenants they mean (``narrow`` below, and the explicit filters of hot queries);
2. the manager of every tenant-owned model raises ``NoScope`` where no scope is open;
3. PostgreSQL's row-level security reads the settings that a scope sets, in this transaction only.

A scope is opened by the middleware for people, by the task base and commands for workers, and by the connect page for
the holder of a link. It never comes from a URL or a header.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import connection, models, transaction

if TYPE_CHECKING:
    from accounts.models import User

M = TypeVar("M", bound=models.Model)


class NoScope(RuntimeError):
    """Tenant-owned data was asked for outside any scope. That is a bug in the caller, never a state of the data."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What is open now. Exactly one of the four forms below; the settings mirror it for PostgreSQL.

    ``only`` narrows a person's scope to some of their tenants; None leaves it as wide as their memberships.
    """

    user_id: int | None = None
    is_staff: bool = False
    only: frozenset[int] | None = None
    tenant_id: int | None = None
    link_key: str | None = None
    is_operations: bool = False

    def settings(self) -> dict[str, str]:
        """The values that the policies of row-level security read."""
        return {
            "app.user_id": "" if self.user_id is None else str(self.user_id),
            "app.tenant_id": "" if self.tenant_id is None else str(self.tenant_id),
            "app.link_key": self.link_key or "",
            # No tenant has the number 0: narrowed to nothing is not the same as not narrowed.
            "app.only_tenants": "" if self.only is None else ",".join(map(str, sorted({0, *self.only}))),
        }


_current: ContextVar[Scope | None] = ContextVar("tenant_scope", default=None)


def current() -> Scope:
    """The open scope; raises NoScope where there is none."""
    scope = _current.get()
    if scope is None:
        raise NoScope("Tenant-owned data was asked for outside a scope.")
    return scope


def is_open() -> bool:
    """Whether any scope is open."""
    return _current.get() is not None


def person(user: User, *, only: frozenset[int] | None = None) -> Any:
    """A person's scope: the tenants of their memberships; staff also see every tenant's connection, not its content.

    ``only`` (ids of tenants) takes away: it leaves of the memberships those named, and of being staff nothing.
    """
    return _open(Scope(user_id=user.pk, is_staff=only is None and user.is_active and user.is_staff, only=only))


def tenant(tenant_id: int) -> Any:
    """A worker's scope over one tenant: its content and its connection."""
    return _open(Scope(tenant_id=tenant_id))


def operations() -> Any:
    """A worker's or the command line's scope over every tenant's connection and sync state, and over no content."""
    return _open(Scope(is_operations=True))


def link_holder(link_key: str) -> Any:
    """The scope of whoever holds a connect link or a callback's state: that one consent request and its tenant."""
    return _open(Scope(link_key=link_key))


@contextmanager
def _open(scope: Scope) -> Iterator[Scope]:
    """Open ``scope`` in a transaction of its own (or a savepoint) and put back what was open before.

    After an exception the roll-back puts the settings back: they are local to the transaction, and a statement of ours
    would only hide the exception behind "current transaction is aborted".
    """
    before = _current.get()
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        _tell_database(scope)
        token = _current.set(scope)
        try:
            yield scope
        finally:
            _current.reset(token)
        # The end of the outermost transaction takes the settings back by itself.
        if not is_outermost and not connection.needs_rollback:
            _tell_database(before or Scope())


def _tell_database(scope: Scope) -> None:
    values = scope.settings()
    calls = ", ".join("set_config(%s, %s, true)" for _ in values)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {calls}", [part for item in values.items() for part in item])


class ContentManager(models.Manager[M]):
    """Manager of incident content: people see their memberships' tenants, workers the one tenant they work on."""

    tenant_path = "tenant_id"

    def get_queryset(self) -> models.QuerySet[M]:
        """Narrowed to the open scope; raises NoScope outside one."""
        scope = current()
        everything = super().get_queryset()
        if scope.tenant_id is not None:
            return everything.filter(**{self.tenant_path: scope.tenant_id})
        if scope.user_id is not None:
            return everything.filter(**{f"{self.tenant_path}__in": member_tenants(scope.user_id)})
        return everything.none()


class ConnectionManager(ContentManager[M]):
    """Manager of a tenant's connection: as for content, and staff and operations see every tenant's."""

    def get_queryset(self) -> models.QuerySet[M]:
        """Narrowed to the open scope; raises NoScope outside one."""
        scope = current()
        everything: models.QuerySet[M] = models.Manager.get_queryset(self)
        if scope.is_operations or scope.is_staff:
            return everything
        if scope.link_key is not None:
            return self.behind_link(everything, scope.link_key)
        return super().get_queryset()

    def behind_link(self, everything: models.QuerySet[M], link_key: str) -> models.QuerySet[M]:
        """What the holder of a link may see; nothing unless the model says so."""
        return everything.none()


def member_tenants(user_id: int) -> models.QuerySet[Any]:
    """Ids of the tenants a person is a member of, as a sub-query; in a narrowed scope, of those it is narrowed to."""
    from tenants.models import Membership

    mine = Membership.objects.filter(user_id=user_id)
    scope = _current.get()
    if scope is not None and scope.only is not None:
        mine = mine.filter(tenant_id__in=scope.only)
    return mine.values("tenant_id")
