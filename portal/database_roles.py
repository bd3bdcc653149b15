"""The database roles the portal runs as, made before the first migration and never superuser.

owner migrates and owns the tables; web serves people; worker talks to Microsoft; audit owns the one function that
appends to the audit log. None is superuser or has BYPASSRLS, so row-level security binds them all.
"""

from typing import Any

import psycopg
from psycopg import sql

ROLES = ("portal_owner", "portal_web", "portal_worker", "portal_audit")
MEMBERS = (("portal_audit", "portal_owner"),)  # the owner hands the append function over to the audit role


class RolesMissing(Exception):
    """The login can neither find nor make a role; the sentence says what to run as an administrator."""


def prepare(database: dict[str, Any]) -> None:
    """Make roles and grants where they are missing, in the database that Django's dictionary names."""
    with psycopg.connect(**connection_arguments(database), autocommit=True) as connection:
        for role in ROLES:
            _make_role(connection, role)
            _let_login_become(connection, role)
        for role, member in MEMBERS:
            if not _may_become(connection, member, role):
                _run(connection, "GRANT {} TO {}", role, member)
        _let_use_schema(connection)


def connection_arguments(database: dict[str, Any]) -> dict[str, Any]:
    """psycopg's arguments for the plain login, before it assumes a role."""
    names = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password", "NAME": "dbname"}
    ours = {"pool", "options", "isolation_level", "server_side_binding"}
    options = {name: value for name, value in database.get("OPTIONS", {}).items() if name not in ours}
    return options | {theirs: database[django] for django, theirs in names.items() if database.get(django)}


def _make_role(connection: psycopg.Connection[Any], role: str) -> None:
    if _value(connection, "SELECT count(*) FROM pg_roles WHERE rolname = %s", role):
        return
    try:
        _run(connection, "CREATE ROLE {} NOLOGIN NOSUPERUSER NOBYPASSRLS", role)
    except (psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        return  # another process on the same cluster was quicker
    except psycopg.errors.InsufficientPrivilege as refused:
        raise RolesMissing(
            f"The database role {role} does not exist and this login may not create it. "
            f"Ask an administrator to run: CREATE ROLE {role} NOLOGIN; and to grant it to the login."
        ) from refused


def _let_login_become(connection: psycopg.Connection[Any], role: str) -> None:
    login = str(_value(connection, "SELECT current_user"))
    if not _may_become(connection, login, role):
        try:
            _run(connection, "GRANT {} TO {}", role, login)
        except psycopg.errors.InsufficientPrivilege as refused:
            raise RolesMissing(
                f"The login {login} may not become {role}. Ask an administrator to run: GRANT {role} TO {login};"
            ) from refused


def _may_become(connection: psycopg.Connection[Any], login: str, role: str) -> bool:
    """Whether SET ROLE works. Since PostgreSQL 16 whoever made a role is a member that may not become it."""
    privilege = "SET" if connection.info.server_version >= 160000 else "MEMBER"
    return bool(_value(connection, "SELECT pg_has_role(%s, %s, %s)", login, role, privilege))


def _let_use_schema(connection: psycopg.Connection[Any]) -> None:
    creators = [r for r in ROLES if r in {"portal_owner", "portal_audit"}]
    for role in creators:
        if not _value(connection, "SELECT has_schema_privilege(%s, 'public', 'CREATE')", role):
            _run(connection, "GRANT CREATE, USAGE ON SCHEMA public TO {}", role)
    for role in ROLES:
        if not _value(connection, "SELECT has_schema_privilege(%s, 'public', 'USAGE')", role):
            _run(connection, "GRANT USAGE ON SCHEMA public TO {}", role)


def _run(connection: psycopg.Connection[Any], statement: str, *identifiers: str) -> None:
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, identifiers)))


def _value(connection: psycopg.Connection[Any], query: str, *parameters: str) -> Any:
    row = connection.execute(query, parameters).fetchone()
    return row[0] if row else None
