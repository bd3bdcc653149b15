"""What a worker process does beside its tasks: it stops in good order, and it wakes itself where nobody wakes it.

Wake-ups come from beat through Redis. Where none has come for a while, because beat is dead, Redis is away or flooded,
the worker looks for itself what is due. The claim in PostgreSQL makes it harmless that both do.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from celery.signals import task_prerun, worker_ready, worker_shutting_down
from django.conf import settings
from django.db import connection

from incidents.stopping import is_stopping, stop
from incidents.tasks import deliver_due, sync_due, sync_slow
from tenants.database import CUT
from tenants.tasks import check_due

log = structlog.get_logger("portal.waking")

# Ours: so many wake-ups may fail to come before a worker goes without.
PATIENCE: Final = 3
WOKEN: Final[dict[str, Callable[[], object]]] = {
    task.name: task for task in (sync_due, sync_slow, deliver_due, check_due)
}

_heard: dict[str, float] = {}


@task_prerun.connect
def hear(task_id: str = "", task: Any = None, **_: Any) -> None:
    """A wake-up has come."""
    _heard[task.name] = time.monotonic()


@worker_shutting_down.connect
def end(**_: Any) -> None:
    """SIGTERM: passes end at their next page; Celery waits for them."""
    stop()


@worker_ready.connect
def begin(**_: Any) -> None:
    """Watch each kind of wake-up in a thread of its own, so that a long pass of one does not keep another."""
    for name in WOKEN:
        threading.Thread(target=watch, args=(name,), name=f"waking {name}", daemon=True).start()


def watch(name: str) -> None:
    """Until the worker ends: do what the wake-up would, whenever it has been missing for too long."""
    wake = settings.SYNC_WAKE.total_seconds()
    _heard.setdefault(name, time.monotonic())
    while not is_stopping():
        time.sleep(wake)
        if is_missing(name, now=time.monotonic()):
            wake_ourselves(name)


def is_missing(name: str, *, now: float) -> bool:
    """Whether the wake-up has not come for PATIENCE times its pause. ``now`` is monotonic."""
    return now - _heard.get(name, 0.0) > PATIENCE * settings.SYNC_WAKE.total_seconds()


def wake_ourselves(name: str) -> None:
    """One turn without a message."""
    log.info("no wake-up came", task=name)
    try:
        WOKEN[name]()
    except CUT as error:
        log.warning("the database did not answer", task=name, error=str(error)[:200])
    except Exception:  # the outermost loop of a thread: if it ended, nobody would look any more
        log.exception("a turn without a message failed", task=name)
    finally:
        connection.close()
