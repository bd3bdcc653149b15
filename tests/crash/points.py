"""The steps of a pass at which a worker is killed: functions that are wrapped in the dying process, and nowhere else.

Production code knows nothing of this: the wrappers are put in wherever a module of ours has the function under a name.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

OURS = ("defender", "incidents", "tenants")


@dataclass(frozen=True)
class Point:
    """A step: before or after some functions, each named as module and path; those that do not exist are passed over.

    ``at_most`` is how often the step is reached in a pass over the trial's tenants, for chance to choose from.
    """

    name: str
    functions: tuple[str, ...]
    after: bool
    at_most: int
    task: str = "sync_due"


POINTS = (
    Point("before-claim", ("tenants.leases:claim_due",), after=False, at_most=1),
    Point("after-claim", ("tenants.leases:claim_due",), after=True, at_most=1),
    Point("after-token", ("defender.auth:TokenSource.token",), after=True, at_most=6),
    Point("after-fetch", ("defender.transport:Transport.call",), after=True, at_most=12),
    Point("mid-transaction", ("incidents.store_sql:write",), after=True, at_most=5),
    Point("after-page", ("incidents.store:store_page",), after=True, at_most=5),
    Point("before-settle", ("tenants.leases:settle", "tenants.leases:settle_idle"), after=False, at_most=2),
    Point("mid-settle", ("tenants.leases:settle",), after=True, at_most=2),
    Point("after-settle", ("incidents.ending:complete", "tenants.leases:settle_idle"), after=True, at_most=2),
)
# The same for a delivery of what analysts decided: see tests/crash/deliveries.py.
DELIVERY_POINTS = tuple(
    Point(name, functions, after=after, at_most=at_most, task="deliver_due")
    for name, functions, after, at_most in (
        ("before-delivery-claim", ("incidents.deliveries:claim_due",), False, 1),
        ("after-delivery-claim", ("incidents.deliveries:claim_due",), True, 1),
        ("after-take", ("incidents.outbox:take",), True, 5),
        ("after-look", ("defender.client:DefenderClient.incident",), True, 5),
        ("before-write", ("defender.client:DefenderClient.update_incident",), False, 5),
        ("after-write", ("defender.client:DefenderClient.update_incident",), True, 5),
        ("mid-settle-of-a-change", ("incidents.outbox_endings:put",), True, 15),
        ("after-sent", ("incidents.outbox:sent",), True, 5),
        ("before-give-back", ("incidents.deliveries:give_back",), False, 3),
        ("after-give-back", ("incidents.deliveries:give_back",), True, 3),
    )
)
BY_NAME = {point.name: point for point in (*POINTS, *DELIVERY_POINTS)}


def die_at(point: Point, *, nth: int) -> None:
    """From now on this process kills itself the ``nth`` time that it reaches the point."""
    reached, lock = 0, threading.Lock()

    def reach() -> None:
        nonlocal reached
        with lock:
            reached += 1
            if reached == nth:
                os.kill(os.getpid(), signal.SIGKILL)
                signal.pause()

    wrapped = [name for name in point.functions if _wrap(name, reach, after=point.after)]
    if not wrapped:
        raise LookupError(f"There is no function for the point {point.name}.")


def _wrap(name: str, reach: Callable[[], None], *, after: bool) -> bool:
    module, _, path = name.partition(":")
    owner: Any = sys.modules[module]
    *classes, function = path.split(".")
    for one in classes:
        owner = getattr(owner, one)
    original = getattr(owner, function, None)
    if original is None:
        return False

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not after:
            reach()
        result = original(*args, **kwargs)
        if after:
            reach()
        return result

    if classes:
        setattr(owner, function, wrapper)
    else:
        _replace_everywhere(original, wrapper)
    return True


def _replace_everywhere(original: Any, wrapper: Any) -> None:
    """Under every name that any of our modules has it."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in OURS:
            for attribute in [key for key, value in vars(module).items() if value is original]:
                setattr(module, attribute, wrapper)
