"""The readers: what each may see, and how they ask, as the web process asks for them or past row-level security."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from django.db import connection

from accounts.models import User
from tenants import scope
from tenants.scope import member_tenants
from tests.bench.reads import data

Asked = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Reader:
    """A person with so many tenants."""

    user: User
    tenants: tuple[int, ...]


class Administrator:
    """A connection that row-level security does not hold; it binds on the client's side, as the portal's does."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection = psycopg.connect(url, autocommit=True, cursor_factory=psycopg.ClientCursor)

    def ask(self, statement: str, parameters: Mapping[str, Any] | Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Its rows."""
        with self.connection.cursor() as cursor:
            return cursor.execute(statement.encode(), parameters).fetchall()

    def becomes(self, user: User) -> None:
        """From now on the web's role, for this person: so equal statements are compared with policies and without."""
        self.ask("SELECT set_config('role', 'portal_web', false), set_config('app.user_id', %s, false)", [str(user.pk)])

    def close(self) -> None:
        """It is not asked again."""
        self.connection.close()


def readers() -> dict[int, list[Reader]]:
    """All readers by how many tenants they have."""
    found: dict[int, list[Reader]] = {}
    for count, people in data.READERS.items():
        for user in User.objects.filter(username__startswith=f"reader-{count}-").order_by("username")[:people]:
            with scope.person(user):
                tenants = tuple(member_tenants(user.pk).order_by("tenant_id").values_list("tenant_id", flat=True))
            found.setdefault(count, []).append(Reader(user, tenants))
    return found


@contextmanager
def overheard() -> Iterator[list[Asked]]:
    """The statements that the portal sends meanwhile, with their parameters."""
    heard: list[Asked] = []

    def listen(execute: Any, statement: str, parameters: Any, many: bool, context: Any) -> Any:
        heard.append((statement, parameters))
        return execute(statement, parameters, many, context)

    with connection.execute_wrapper(listen):
        yield heard
