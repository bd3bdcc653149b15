"""Hand-written statements of the queue, asked inside a scope only."""

from collections.abc import Mapping
from typing import Any

from django.db import connection

from tenants import scope


def select(statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of a statement; raises NoScope outside a scope, as the managers do."""
    scope.current()
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found
