"""What changed in our copy of an incident, version by version."""

from typing import ClassVar, Self

from django.db import models

from incidents.models.incident import Incident
from tenants.models import Tenant
from tenants.scope import ContentManager


class IncidentChange(models.Model):
    """One newer version of an incident whose head differs from the one before it; its first version leaves none.

    ``differences`` maps a field's name to [before, after]; tags are lists. ``seen_at`` is the start of the pass that
    brought it, which is the same moment as in its ``SyncRun``; ``updated_at`` is Microsoft's time of the version.
    ``by`` names the person of ours whose decision was read back; blank where it was made elsewhere.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False, related_name="+")
    incident = models.ForeignKey(
        Incident, on_delete=models.CASCADE, related_name="history", db_constraint=False, db_index=False
    )
    seen_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    differences = models.JSONField()
    by = models.TextField(blank=True)

    objects: ClassVar[ContentManager[Self]] = ContentManager()

    class Meta:
        base_manager_name = "objects"
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["incident", "tenant", "id"], name="a_change_is_of_one_incident")]

    def __str__(self) -> str:
        return f"change of {', '.join(self.differences)}"
