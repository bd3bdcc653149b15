"""A migrated database for a command of the tests, made and removed as a test run makes and removes its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from tests import servers


@contextmanager
def own_database() -> Iterator[None]:
    """Django is set up on a database of this process for as long as this is open; to be opened once, before Django is.

    Uses the servers that DATABASE_URL and REDIS_URL name, else embedded ones. Code inside begins as the owner.
    """
    servers.pytest_load_initial_conftests([])
    os.environ["DJANGO_SETTINGS_MODULE"] = "portal.settings"
    try:
        _set_up()
        yield
    finally:
        _close()
        servers.pytest_unconfigure()


def _set_up() -> None:
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connection

    from portal.database_roles import prepare

    prepare(settings.DATABASES["default"])
    connection.settings_dict["OPTIONS"]["options"] = "-c role=portal_owner"
    call_command("migrate", verbosity=0)


def _close() -> None:
    from django.db import connections

    connections.close_all()


def database_url() -> str:
    """The address of the database that Django is connected to now, for a process that we start."""
    from django.db import connections

    name = connections.settings["default"]["NAME"]
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))
