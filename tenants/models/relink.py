"""Moving a tenant from one customer to another: asked for by one member of staff, agreed to by another."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from tenants.models.customer import Tenant
from tenants.scope import ConnectionManager


class Relink(models.Model):
    """One request. Open until it is settled; a tenant has one open at most."""

    class Outcome(models.TextChoices):
        """How it was settled."""

        MOVED = "moved", "Moved"
        WITHDRAWN = "withdrawn", "Withdrawn"
        EXPIRED = "expired", "Expired"

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="relinks")
    customer_name = models.CharField(max_length=200, help_text="The customer it is to belong to.")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    agreed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    settled_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True)

    objects: ClassVar[ConnectionManager[Self]] = ConnectionManager()

    class Meta:
        ordering = ["-asked_at"]
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"], condition=Q(settled_at=None), name="a_tenant_has_one_open_relink"
            ),
            models.CheckConstraint(
                condition=Q(agreed_by=None) | ~Q(agreed_by=F("asked_by")), name="a_relink_needs_two_people"
            ),
        ]

    def __str__(self) -> str:
        return f"move to {self.customer_name}"
