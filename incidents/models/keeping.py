"""Book-keeping of the store: counts kept on write, what could not be read, and which numbers do not exist."""

from typing import ClassVar, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models

from tenants.models import Tenant
from tenants.scope import ContentManager


class Rollup(models.Model):
    """How many incidents a tenant has per status, severity and assignment, in the order of ``incidents.rollup.CELLS``;
    kept in the page's transaction.
    """

    tenant = models.OneToOneField(Tenant, on_delete=models.PROTECT, related_name="+")
    cells = ArrayField(models.IntegerField())

    objects: ClassVar[ContentManager[Self]] = ContentManager()

    class Meta:
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"{sum(self.cells)} incidents"


class Quarantine(models.Model):
    """An incident that could not be read, with its bytes (up to the cap) and why; tried again by a newer parser."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False, related_name="+")
    number = models.BigIntegerField(null=True, help_text="Microsoft's incident number, where it could be read.")
    content_hash = models.BinaryField(max_length=16)
    reason = models.CharField(max_length=60)
    sentence = models.CharField(max_length=500)
    body = models.BinaryField()
    size = models.BigIntegerField(help_text="Bytes Microsoft sent; more than are kept where it was over the cap.")
    parser_version = models.SmallIntegerField()
    seen_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, help_text="When a later version of the incident could be read.")

    objects: ClassVar[ContentManager[Self]] = ContentManager()

    class Meta:
        base_manager_name = "objects"
        verbose_name_plural = "quarantine"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "content_hash"], name="the_same_bytes_are_quarantined_once")
        ]

    def __str__(self) -> str:
        return f"{self.number or 'unreadable'}: {self.reason}"


class Absence(models.Model):
    """A number between two incidents that Microsoft was asked for and does not have, so that it is asked only once."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False, related_name="+")
    number = models.BigIntegerField()
    looked_at = models.DateTimeField()

    objects: ClassVar[ContentManager[Self]] = ContentManager()

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "number"], name="a_number_is_absent_once")]

    def __str__(self) -> str:
        return f"no incident {self.number}"
