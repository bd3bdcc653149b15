"""Connections to PostgreSQL: work done once more where the way there was cut (a restart, a failover, a dropped line),
and a connection given back while nobody needs it.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import structlog
from django.db import InterfaceError, OperationalError, connection

R = TypeVar("R")
log = structlog.get_logger("portal.database")

CUT: Final = (OperationalError, InterfaceError)
# SQLSTATE classes of PostgreSQL's documentation, appendix A: connection exceptions, and shut down by an operator.
_CUT_STATES: Final = ("08", "57P")


def again_if_cut(work: Callable[[], R]) -> R:
    """What ``work`` returns. It must be a whole transaction, or several, that may be done twice.

    Raises what it raises where the connection was not cut (a statement that took too long, a deadlock), where it is cut
    again, and where a transaction is open around it, which is gone with the connection.
    """
    try:
        return work()
    except CUT as error:
        if connection.in_atomic_block or not is_cut(error):
            raise
        log.warning("database connection cut", error=str(error)[:200])
    connection.close()
    return work()


def give_back() -> None:
    """Before a wait for Microsoft: this thread's connection goes back into the pool, if there is a pool.

    More threads wait than there are connections, and a tenant that drips must not keep one from the others.
    """
    if connection.settings_dict["OPTIONS"].get("pool") and not connection.in_atomic_block:
        connection.close()


def is_cut(error: Exception) -> bool:
    """Whether the server or the way to it went away, rather than refusing what was asked."""
    state = getattr(error.__cause__ or error, "sqlstate", None)
    return state is None or str(state).startswith(_CUT_STATES)
