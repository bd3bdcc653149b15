"""The Celery app: broker, queues, and the whole beat table on one screen.

PostgreSQL decides what is due; messages only wake workers. Every message expires with the next beat, so a lost or late
one costs a cycle and never an incident.
"""

import os
from typing import Any
from urllib.parse import parse_qs, urlsplit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_init
from django.conf import settings


def broker_url(redis_url: str) -> str:
    """Celery's spelling of a Redis address: a unix socket is ``redis+socket://`` with the database as virtual_host."""
    parts = urlsplit(redis_url)
    if parts.scheme != "unix":
        return redis_url
    database = parse_qs(parts.query).get("db", ["0"])[0]
    return f"redis+socket://{parts.path}?virtual_host={database}"


WAKE_SECONDS = settings.SYNC_WAKE.total_seconds()

BEAT: dict[str, dict[str, Any]] = {
    "sync what is due": {"task": "incidents.sync_due", "schedule": WAKE_SECONDS},
    "sync what is slow": {"task": "incidents.sync_slow", "schedule": WAKE_SECONDS},
    "carry changes to Microsoft": {"task": "incidents.deliver_due", "schedule": WAKE_SECONDS},
    "prove consent where a check is due": {"task": "tenants.check_due", "schedule": WAKE_SECONDS},
    "tell of local sign-ins": {"task": "tenants.tell_of_local_sign_ins", "schedule": WAKE_SECONDS},
    "drop old visits": {"task": "tenants.drop_old_visits", "schedule": 3600.0},
    "watch our own credential": {"task": "tenants.watch_credential", "schedule": 3600.0},
    "anchor the audit log outside the database": {"task": "audit.anchor", "schedule": 600.0},
    "drop old sync runs": {"task": "tenants.drop_old_runs", "schedule": 3600.0},
}
for entry in BEAT.values():
    entry["options"] = {"expires": entry["schedule"]}

app = Celery("portal")
app.conf.update(
    broker_url=broker_url(settings.REDIS_URL),
    result_backend=None,
    task_ignore_result=True,
    task_serializer="json",
    accept_content=["json"],
    task_acks_late=True,
    task_acks_on_failure_or_timeout=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    worker_soft_shutdown_timeout=20,
    broker_connection_retry_on_startup=True,
    # Longer than the longest pass, or Redis would hand a running task to a second worker.
    broker_transport_options={
        "visibility_timeout": int(settings.SYNC_PASS_LIMIT.total_seconds()) + 360,
        "global_keyprefix": settings.REDIS_KEY_PREFIX,
        "max_connections": 200,
        "socket_timeout": 30,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 25,
    },
    task_default_queue="portal",
    task_publish_retry=False,
    beat_scheduler="celery.beat:Scheduler",
    beat_schedule=BEAT,
    timezone="UTC",
)
app.autodiscover_tasks(["audit", "tenants", "incidents"])


@setup_logging.connect
def keep_our_logging(**kwargs: Any) -> None:
    """Django has configured logging already; Celery must not add handlers of its own."""


@worker_init.connect
@beat_init.connect
def refuse_what_is_unsafe(**kwargs: Any) -> None:
    """Celery goes on after a handler that failed; here nothing may go on."""
    from portal import start

    try:
        start.production()
    except Exception as problem:
        raise SystemExit(f"The portal does not start: {type(problem).__name__}: {problem}") from problem


@worker_init.connect
def watch_over_the_worker(**kwargs: Any) -> None:
    """Only in workers: what stops them in good order and wakes them where beat does not."""
    from portal import waking  # noqa: F401  its signal handlers
