"""Beat wakes tasks that exist, no task waits for a caller that never comes, and only workers send messages."""

import ast

import pytest

from portal.celery import BEAT, app
from tests.repository.tree import PRODUCT, files_in, name_of, parsed

SENDING = {"delay", "apply_async", "send_task", "s", "si", "signature"}
# Task name → why nobody in the product calls it.
WITHOUT_CALLER: dict[str, str] = {}


@pytest.fixture(scope="module")
def tasks() -> set[str]:
    """Names of the portal's own tasks, as a worker registers them."""
    app.loader.import_default_modules()
    return {name for name in app.tasks if not name.startswith("celery.")}


def sent() -> dict[str, set[str]]:
    """Names of functions that messages are sent to, with the files that do it."""
    found: dict[str, set[str]] = {}
    for path in files_in(*PRODUCT, suffix=".py"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SENDING:
                target = node.func.value
                name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
                found.setdefault(name, set()).add(name_of(path))
    return found


def test_every_entry_of_the_beat_table_names_a_registered_task(tasks: set[str]) -> None:
    assert {entry["task"] for entry in BEAT.values()} - tasks == set()


def test_every_task_has_a_caller_or_a_reason(tasks: set[str]) -> None:
    functions = {name: app.tasks[name].__name__ for name in tasks}
    called = {name for name, function in functions.items() if function in sent()}
    woken = {entry["task"] for entry in BEAT.values()}
    assert tasks - woken - called - set(WITHOUT_CALLER) == set()
    assert set(WITHOUT_CALLER) <= tasks


def test_wake_up_messages_expire_with_the_next_beat() -> None:
    late = {name for name, entry in BEAT.items() if entry["options"]["expires"] > entry["schedule"]}
    assert late == set()


def test_every_task_goes_to_the_queue_that_workers_consume(tasks: set[str]) -> None:
    queues = {app.amqp.router.route({}, name)["queue"].name for name in tasks}
    assert queues == {"portal"}
    assert list(app.amqp.queues) == ["portal"]


def test_pages_send_no_messages_they_leave_rows_that_are_due() -> None:
    senders = {where for function in app.tasks for where in sent().get(app.tasks[function].__name__, set())}
    assert {where for where in senders if not where.endswith("tasks.py")} == set()


def test_task_names_begin_with_their_app(tasks: set[str]) -> None:
    assert {name for name in tasks if name.split(".")[0] not in PRODUCT} == set()
    assert {name for name in tasks if app.tasks[name].__module__ != f"{name.split('.')[0]}.tasks"} == set()
