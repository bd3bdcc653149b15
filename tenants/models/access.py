"""People's access: a grant gives a person a role over a tenant or a tenant group; memberships follow from grants.

``Membership`` is kept by triggers in PostgreSQL (see the first migration), so that row-level security and the pages
read the same rows, and a grant works on the next request.
"""

from __future__ import annotations

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.roles import Role
from tenants.models.customer import Tenant
from tenants.scope import ConnectionManager


class TenantGroup(models.Model):
    """A named set of tenants. One that covers all takes in every tenant, also those that come later."""

    name = models.CharField(max_length=120, unique=True)
    covers_all = models.BooleanField(default=False, help_text="Every tenant, also those connected later.")
    tenants: models.ManyToManyField[Tenant, TenantGroupMember] = models.ManyToManyField(
        Tenant, through="TenantGroupMember", related_name="groups", blank=True
    )

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class TenantGroupMember(models.Model):
    """A tenant in a group."""

    group = models.ForeignKey(TenantGroup, on_delete=models.CASCADE)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE)

    objects: ClassVar[ConnectionManager[Self]] = ConnectionManager()

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["group", "tenant"], name="a_tenant_is_in_a_group_once")]

    def __str__(self) -> str:
        return f"group {self.group_id}, tenant {self.tenant_id}"


class Grant(models.Model):
    """A person, a role, and the tenant or tenant group it holds for."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="grants")
    role = models.CharField(max_length=20, choices=Role.choices)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, null=True, blank=True)
    group = models.ForeignKey(TenantGroup, on_delete=models.CASCADE, null=True, blank=True)
    granted_by = models.CharField(max_length=200, blank=True, editable=False)
    granted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["user", "role"]
        constraints = [
            models.CheckConstraint(
                condition=Q(tenant__isnull=False, group__isnull=True) | Q(tenant__isnull=True, group__isnull=False),
                name="a_grant_is_over_a_tenant_or_a_group",
            ),
            models.UniqueConstraint(
                fields=["user", "role", "tenant", "group"], nulls_distinct=False, name="a_grant_is_given_once"
            ),
        ]

    def __str__(self) -> str:
        over = f"tenant {self.tenant_id}" if self.tenant_id else f"group {self.group_id}"
        return f"{self.user} (#{self.user_id}): {self.role} over {over}"


class Membership(models.Model):
    """Follows from grants; never written by hand. The table that row-level security reads."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "tenant", "role"], name="a_membership_exists_once")]

    def __str__(self) -> str:
        return f"user {self.user_id} in tenant {self.tenant_id}: {self.role}"
