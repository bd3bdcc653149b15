"""The SQL that docs/operations.md gives to an administrator is all that three separate logins need."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from tests.dropped import drop_database
from tests.repository.production import environment, run
from tests.repository.tree import ROOT

# Also on given servers: an embedded server's login is no superuser, so the backup is proved only there.
pytestmark = pytest.mark.short

ROLE = re.compile(r"^CREATE ROLE (portal_\w+) NOLOGIN;\n", re.MULTILINE)
LOGIN = re.compile(r"\bportal_(web_login|worker_login|owner_login|backup)\b")
PROCESSES = ("web", "worker", "owner")


def blocks() -> list[str]:
    """The SQL blocks of the document: first the logins, then the one for backups."""
    return re.findall(r"```sql\n(.*?)```", (ROOT / "docs" / "operations.md").read_text(), re.DOTALL)


def documented() -> str:
    """The statements that make the logins of the three processes."""
    return blocks()[0]


def given_url() -> str:
    return os.environ["DATABASE_URL"]


def database() -> str:
    """A name that the plugin that made this run's own database also removes."""
    return "test_" + urlsplit(given_url()).path.lstrip("/")


def rights(server: psycopg.Connection[tuple[bool, bool]]) -> tuple[bool, bool]:
    """Whether the given login is superuser, and whether it may make roles."""
    query = "SELECT rolsuper, rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
    found = server.execute(query).fetchone()
    assert found
    return found


@pytest.fixture(scope="module")
def logins() -> Iterator[dict[str, str]]:
    """URLs of three logins that were made as documented, in a database of their own."""
    name, prefix = sql.Identifier(database()), f"portal_{os.getpid()}"
    with psycopg.connect(given_url(), autocommit=True) as server:
        is_mighty, may_make_roles = rights(server)
        if not may_make_roles:
            pytest.skip("The given login may not make roles, as the document asks of an administrator.")
        drop_database(server, database())
        server.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(name))
        try:
            _run_as_documented(prefix, blocks() if is_mighty else blocks()[:1])
            found = {process: _url(f"{prefix}_{process}_login") for process in PROCESSES}
            yield {**found, "backup": _url(f"{prefix}_backup")}
        finally:
            drop_database(server, database())
            for login in (*(f"{process}_login" for process in PROCESSES), "backup"):
                server.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(f"{prefix}_{login}")))


def _run_as_documented(prefix: str, statements_of: list[str]) -> None:
    """Roles may be there already, since they belong to the whole server; logins get names of this run."""
    statements = LOGIN.sub(rf"{prefix}_\1", "".join(statements_of))
    statements = statements.replace("DATABASE portal ", f'DATABASE "{database()}" ').replace("'…'", "'a-password'")
    with psycopg.connect(_url(""), autocommit=True) as connection:
        for role in ROLE.findall(statements):
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
        connection.execute(ROLE.sub("", statements).encode())


def _url(login: str) -> str:
    """The test database's address for a login (empty: the given one)."""
    parts = urlsplit(given_url())
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(
        parts._replace(netloc=f"{login}:a-password@{place}" if login else parts.netloc, path=f"/{database()}")
    )


def portal(program: str, process: str, logins: dict[str, str]) -> str:
    """What a production process of that kind prints, with its own login only."""
    names = {"web": "DATABASE_URL", "worker": "DATABASE_WORKER_URL", "owner": "DATABASE_OWNER_URL"}
    env = environment(DATABASE_URL=None, PORTAL_PROCESS=process, DJANGO_SETTINGS_MODULE="portal.settings")
    done = run("-c", program, env={**env, names[process]: logins[process]}, seconds=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def migrated(logins: dict[str, str]) -> dict[str, str]:
    """The same, once the owner's login has migrated."""
    portal(MIGRATE, "owner", logins)
    return logins


MIGRATE = "from portal import start; start.run(['manage.py', 'migrate', '--verbosity', '0'])"
LOOK = (
    "import django; django.setup()\n"
    "from django.db import connection\n"
    "from portal import health\n"
    "cursor = connection.cursor()\n"
    "cursor.execute('SELECT current_user, session_user, (SELECT rolsuper OR rolbypassrls FROM pg_roles"
    " WHERE rolname = current_user)')\n"
    "role, login, mighty = cursor.fetchone()\n"
    "print(role, login.split('_', 2)[2], mighty, health.database_answers(), health.migrations_done())\n"
)
BECOME = (
    "import django; django.setup()\n"
    "from django.db import ProgrammingError, connection\n"
    "cursor = connection.cursor()\n"
    "try:\n    cursor.execute('SET ROLE {role}')\n"
    "except ProgrammingError as refused:\n    print('refused')\n"
    "else:\n    print('became {role}')\n"
)


def test_three_logins_made_as_documented_can_migrate_and_work(migrated: dict[str, str]) -> None:
    assert portal(LOOK, "web", migrated) == "portal_web web_login False True True"
    assert portal(LOOK, "worker", migrated) == "portal_worker worker_login False True True"


def test_a_backup_needs_the_login_that_is_made_for_it(migrated: dict[str, str]) -> None:
    """pg_dump switches row security off and then reads every table; whom a policy would narrow gets an error."""
    with psycopg.connect(given_url()) as server:
        if not rights(server)[0]:
            pytest.skip("The given login is no superuser: it cannot make a login that bypasses row-level security.")
    with psycopg.connect(migrated["backup"]) as backup:
        backup.execute("SET row_security = off")
        tables = backup.execute("SELECT relname FROM pg_class WHERE relrowsecurity ORDER BY relname").fetchall()
        assert len(tables) > 10
        for (table,) in tables:
            backup.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
    with psycopg.connect(migrated["owner"], options="-c role=portal_owner") as owner:
        owner.execute("SET row_security = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
            owner.execute("SELECT count(*) FROM tenants_tenant")


@pytest.mark.parametrize(
    ("process", "role"),
    [("web", "portal_worker"), ("web", "portal_owner"), ("web", "portal_audit"), ("worker", "portal_owner")],
)
def test_a_login_cannot_become_another_process(process: str, role: str, logins: dict[str, str]) -> None:
    assert portal(BECOME.format(role=role), process, logins) == "refused"


SCRIPT = ROOT / "docs" / "compose" / "logins.sh"


def test_the_container_makes_the_logins_as_documented() -> None:
    """Passwords apart, the script of the container and the document are the same statements."""
    inside = re.search(r"<<'SQL'\n(.*?)\nSQL", SCRIPT.read_text(), re.DOTALL)
    assert inside
    container, document = (
        [re.sub(r"PASSWORD \S+;", "PASSWORD;", line) for line in text.splitlines() if line and line[0] != "\\"]
        for text in (inside[1], documented())
    )
    assert container == document


def test_the_container_takes_each_password_out_of_its_url(tmp_path: Path) -> None:
    """The script itself, with a psql that tells what it was given."""
    for name, word in (("database_url", "a1"), ("database_worker_url", "b2"), ("database_owner_url", "c3")):
        (tmp_path / name).write_text(f"postgres://login:{word}@postgres:5432/portal\n")
    psql = tmp_path / "psql"
    psql.write_text('#!/bin/sh\necho "$WEB $WORKER $OWNER"; echo "$@" >&2\n')
    psql.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SECRETS": str(tmp_path)}
    done = subprocess.run(["sh", str(SCRIPT)], env=env, capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout == "a1 b2 c3\n"
    assert "a1" not in done.stderr
    assert os.access(SCRIPT, os.X_OK)
