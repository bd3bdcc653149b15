"""The role matrix: who may do what. Code, tests and docs read this one file; what is not listed is denied.

Viewer and analyst are granted per tenant or tenant group; staff is a property of the person and covers the portal's own
affairs (tenants, consent, people). Staff read incidents only where a grant says so, like everybody else.
"""

from enum import StrEnum

from django.db import models


class Permission(StrEnum):
    """One thing a person may do."""

    READ_INCIDENTS = "read incidents"
    TRIAGE = "triage incidents"
    READ_CONNECTION = "read a tenant's connection and sync state"
    CONNECT = "connect and look after tenants"
    MANAGE_PEOPLE = "manage people and grants"
    READ_AUDIT = "read the audit log"


class Role(models.TextChoices):
    """Roles that a grant gives over tenants."""

    VIEWER = "viewer", "Viewer"
    ANALYST = "analyst", "Analyst"


TENANT_MATRIX: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: frozenset({Permission.READ_INCIDENTS, Permission.READ_CONNECTION}),
    Role.ANALYST: frozenset({Permission.READ_INCIDENTS, Permission.READ_CONNECTION, Permission.TRIAGE}),
}
STAFF: frozenset[Permission] = frozenset(
    {Permission.READ_CONNECTION, Permission.CONNECT, Permission.MANAGE_PEOPLE, Permission.READ_AUDIT}
)


def role_allows(role: str, permission: Permission) -> bool:
    """Whether a granted role includes the permission; an unknown role includes nothing."""
    return role in TENANT_MATRIX and permission in TENANT_MATRIX[Role(role)]


def staff_allows(permission: Permission) -> bool:
    """Whether being staff includes the permission, for every tenant."""
    return permission in STAFF
