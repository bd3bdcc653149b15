"""Makes sure that what a command needs is there, then runs Django's command line; failures become sentences."""

import os
import sys
from pathlib import Path

NEEDS_NO_SERVERS = {"help", "version", "--help", "--version", "collectstatic", "demo"}


def servers() -> None:
    """Find the embedded servers up or start them, where the local setting uses them. Production never does."""
    from django.conf import settings

    if settings.PORTAL_ENV != "local" or (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        return
    import embedded

    try:
        embedded.ensure(Path(settings.LOCAL_DIR) / "servers", say=lambda line: print(line, file=sys.stderr))  # noqa: T201
    except embedded.EmbeddedError as sentence:
        sys.exit(str(sentence))


def database_roles() -> None:
    """The owner's commands make the database roles where they are missing; the rest only ever assume them."""
    import psycopg
    from django.conf import settings

    from portal.database_roles import RolesMissing, prepare

    if settings.PORTAL_PROCESS != "owner":
        return
    try:
        prepare(settings.DATABASES["default"])
    except RolesMissing as sentence:
        sys.exit(str(sentence))
    except psycopg.OperationalError as refused:
        sys.exit(f"PostgreSQL does not answer at DATABASE_URL: {str(refused).strip()}")


def production() -> None:
    """What web, workers and beat do first in production: close their memory, and refuse what is unsafe.

    Ends the process with status 2 and a sentence each; nothing is answered and nothing is read before.
    """
    import django
    from django.conf import settings

    from portal.environment import refuse
    from portal.process import close_memory
    from portal.unsafe import unsafe_checks

    if settings.PORTAL_ENV != "production":
        return
    close_memory()
    django.setup()
    if problems := unsafe_checks():
        refuse(problems)


def run(argv: list[str]) -> None:
    """``manage.py`` with the servers and roles it needs."""
    from django.core.management import execute_from_command_line
    from django.db.utils import DataError, OperationalError, ProgrammingError

    if len(argv) > 1 and argv[1] not in NEEDS_NO_SERVERS:
        servers()
        database_roles()
    try:
        execute_from_command_line(argv)
    except OperationalError as refused:
        sys.exit(f"PostgreSQL does not answer at DATABASE_URL: {str(refused).strip()}")
    except (DataError, ProgrammingError) as refused:
        if "does not exist" not in str(refused) and "permission denied to set role" not in str(refused):
            raise
        sys.exit(f"The database is not ready ({str(refused).strip().splitlines()[0]}). Run: python manage.py migrate")
