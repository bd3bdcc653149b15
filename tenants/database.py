"""A unit of work that is done once more where the way to PostgreSQL was cut: a restart, a failover, a dropped line."""

from collections.abc import Callable
from typing import TypeVar

import structlog
from django.db import InterfaceError, OperationalError, connection

R = TypeVar("R")
log = structlog.get_logger("portal.database")

CUT = (OperationalError, InterfaceError)


def again_if_cut(work: Callable[[], R]) -> R:
    """What ``work`` returns. It must be a whole transaction, or several, that may be done twice.

    Raises what it raises where the connection still stands (it was no cut), where it is cut again, and where a
    transaction is open around it, which is gone with the connection.
    """
    try:
        return work()
    except CUT as error:
        if connection.in_atomic_block or connection.is_usable():
            raise
        log.warning("database connection cut", error=type(error).__name__)
    connection.close()
    return work()
