"""A mark for views that talk to Entra ID: no transaction of the database may wait for another machine."""

from collections.abc import Callable
from typing import Any, TypeVar

V = TypeVar("V", bound=Callable[..., Any])


def opens_own_scope(view: V) -> V:
    """Marks a view that talks to Entra ID first and opens what it needs of transaction and scope itself."""
    view.opens_own_scope = True  # type: ignore[attr-defined]
    return view
