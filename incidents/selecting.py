"""Hand-written statements of the queue, asked inside a scope only."""

from collections.abc import Mapping
from typing import Any

from django.db import connection
from psycopg.types.datetime import TimestamptzLoader

from tenants import scope


def select(statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a statement; raises NoScope outside a scope, as the managers do.

    Moments are read by the driver itself, which gives the same values in UTC as Django's reader in Python does: of the
    time that a page of the queue takes, that one needed a third.
    """
    scope.current()
    with connection.cursor() as cursor:
        cursor.cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
        cursor.execute(statement, {name: _bound(value) for name, value in parameters.items()})
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _bound(value: Any) -> Any:
    """A list of keys as PostgreSQL writes an array: the driver takes a millisecond to do so for a thousand tenants."""
    is_keys = isinstance(value, list) and bool(value) and all(type(one) is int for one in value)
    return f"{{{','.join(map(str, value))}}}" if is_keys else value
