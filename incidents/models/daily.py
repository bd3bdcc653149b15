"""How many incidents a tenant had opened, first touched and closed on each day; kept in the page's transaction."""

from typing import ClassVar, Self

from django.db import models

from tenants.models import Tenant
from tenants.scope import ContentManager


class Daily(models.Model):
    """One day (UTC) of one tenant, by the severity that incidents have now. Merged shells count nowhere.

    One row for all severities, because the overview adds up a thousand tenants' days at once.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False, related_name="+")
    day = models.DateField()
    opened_informational = models.IntegerField(default=0)
    opened_low = models.IntegerField(default=0)
    opened_medium = models.IntegerField(default=0)
    opened_high = models.IntegerField(default=0)
    opened_unknown = models.IntegerField(default=0)
    closed_informational = models.IntegerField(default=0)
    closed_low = models.IntegerField(default=0)
    closed_medium = models.IntegerField(default=0)
    closed_high = models.IntegerField(default=0)
    closed_unknown = models.IntegerField(default=0)
    touched = models.IntegerField(default=0, help_text="Incidents that somebody took up for the first time.")

    objects: ClassVar[ContentManager[Self]] = ContentManager()

    class Meta:
        base_manager_name = "objects"
        verbose_name_plural = "daily"
        constraints = [models.UniqueConstraint(fields=["tenant", "day"], name="a_day_exists_once_in_its_tenant")]

    def __str__(self) -> str:
        return f"{self.day} of tenant {self.tenant_id}"
