"""Under which address a person is written at Microsoft: one for all tenants, and another where a tenant knows another.

Microsoft takes any text as an assignee and checks nothing, so staff say which one is right.
"""

from __future__ import annotations

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from tenants.models import Tenant
from tenants.scope import ConnectionManager


class Assignee(models.Model):
    """A person's usual address at Microsoft."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    address = models.CharField("address at Microsoft", max_length=320)

    class Meta:
        ordering = ["address"]
        verbose_name = "address of a person"
        verbose_name_plural = "addresses of people"
        constraints = [models.CheckConstraint(condition=~Q(address=""), name="an_assignee_has_an_address")]

    def __str__(self) -> str:
        return self.address


class TenantAssignee(models.Model):
    """A person's address in one tenant, where it is not the usual one."""

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, db_index=False, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    address = models.CharField("address at Microsoft", max_length=320)

    objects: ClassVar[ConnectionManager[Self]] = ConnectionManager()

    class Meta:
        base_manager_name = "objects"
        ordering = ["tenant", "address"]
        verbose_name = "address in one tenant"
        verbose_name_plural = "addresses in single tenants"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="a_person_has_one_address_in_a_tenant"),
            models.CheckConstraint(condition=~Q(address=""), name="an_assignee_in_a_tenant_has_an_address"),
        ]

    def __str__(self) -> str:
        return self.address
