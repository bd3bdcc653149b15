"""A mark for views that do not run in one transaction, which would wait for another machine or for a reader."""

from collections.abc import Callable
from typing import Any, TypeVar

V = TypeVar("V", bound=Callable[..., Any])


def opens_own_scope(view: V) -> V:
    """Marks a view that opens what it needs of transaction and scope itself."""
    view.opens_own_scope = True  # type: ignore[attr-defined]
    return view
