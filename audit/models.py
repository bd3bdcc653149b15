"""The audit log as Django reads it. Nobody writes through this model: see ``audit.record``."""

from django.db import models


class Outcome(models.TextChoices):
    """How the action ended."""

    DONE = "done", "Done"
    DENIED = "denied", "Denied"
    FAILED = "failed", "Failed"


class AuditEvent(models.Model):
    """One action by a person, the portal or a customer's admin. No foreign keys: the log outlives what it speaks of.

    ``tenant`` is the Entra tenant id where the action concerns one. Visible to staff only; it is not tenant-owned.
    """

    at = models.DateTimeField(db_index=True)
    actor = models.CharField(max_length=200, help_text="Who: a person's name and id, 'command line', 'worker'.")
    action = models.CharField(max_length=80, db_index=True)
    tenant = models.UUIDField(null=True, db_index=True)
    subject = models.CharField(max_length=300, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    details = models.JSONField(default=dict)
    request_id = models.CharField(max_length=32, blank=True)
    address = models.CharField(max_length=64, blank=True, help_text="The network address the action came from.")

    class Meta:
        ordering = ["-id"]
        verbose_name = "audit event"

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor}: {self.action}"
