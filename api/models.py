"""Tokens of programs, and the order in which incidents changed."""

from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from incidents.models import Incident
from tenants.models import Tenant
from tenants.scope import ContentManager


class Verb(models.TextChoices):
    """One thing that a token lets its holder do."""

    READ_INCIDENTS = "read-incidents", "Read incidents"
    TRIAGE = "triage", "Decide on incidents"
    READ_HEALTH = "read-health", "Read tenants' health"


class Token(models.Model):
    """What a program shows in place of a person. Only the SHA-256 of its value is kept.

    It never opens more than its owner may at this moment: ``verbs`` and the reach (all tenants, or ``tenant_ids`` and
    the tenants of the groups in ``group_ids``) take away from the owner's rights and add nothing. Ids stand in lists
    because they give nothing: what they name and the owner may not see is not seen.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="api_tokens")
    name = models.CharField(max_length=60)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    verbs = models.JSONField(default=list)
    is_everywhere = models.BooleanField("every tenant of its owner", default=False)
    tenant_ids = models.JSONField(default=list, blank=True)
    group_ids = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True, help_text="To the minute.")
    last_used_from = models.CharField(max_length=64, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        verbose_name = "API token"
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("created_at")), name="a_token_expires_after_it_was_made"
            ),
            models.CheckConstraint(
                condition=Q(revoked_at=None, revoked_by="") | (Q(revoked_at__isnull=False) & ~Q(revoked_by="")),
                name="a_revoked_token_says_by_whom",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} (#{self.pk})"

    def state(self, now: datetime) -> str:
        """One of in use, revoked, expired, owner switched off."""
        if self.revoked_at is not None:
            return "revoked"
        if self.expires_at <= now:
            return "expired"
        return "in use" if self.owner.is_active else "owner switched off"


class Change(models.Model):
    """When an incident's row was last written, as a number in an order without late comers: see ``api.feed``.

    Kept by triggers on the incident's table, so that no way of writing an incident can leave it out.
    """

    incident = models.OneToOneField(
        Incident, on_delete=models.CASCADE, primary_key=True, related_name="change", db_constraint=False
    )
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False, related_name="+")
    mark = models.BigIntegerField(help_text="Grows with every statement that writes incidents.")
    changed_at = models.DateTimeField(help_text="As the incident says it.")

    objects: ClassVar[ContentManager[Self]] = ContentManager()

    class Meta:
        base_manager_name = "objects"
        indexes = [
            models.Index(fields=["mark", "incident"], include=["tenant"], name="changes_in_order"),
            models.Index(fields=["tenant", "mark", "incident"], name="changes_of_a_tenant_in_order"),
            models.Index(fields=["changed_at"], include=["tenant", "mark"], name="changes_by_time"),
        ]

    def __str__(self) -> str:
        return f"incident {self.incident_id} at {self.mark}"
