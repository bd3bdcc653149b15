"""The audit log as Django reads it. Nobody writes through these models: see ``audit.record`` and ``audit.sealing``."""

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

    # In the database it is called what it is: a number without gaps, given by audit_append.
    id = models.BigIntegerField(primary_key=True, db_column="seq", verbose_name="number")
    at = models.DateTimeField(db_index=True)
    actor = models.CharField(max_length=200, help_text="Who: a person's name and id, 'command line', 'worker'.")
    action = models.CharField(max_length=80)
    tenant = models.UUIDField(null=True)
    subject = models.CharField(max_length=300, blank=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    details = models.JSONField(default=dict)
    request_id = models.CharField(max_length=32, blank=True)
    address = models.CharField(max_length=64, blank=True, help_text="The network address the action came from.")
    canonical = models.TextField(help_text="The bytes that are hashed: see audit/canonical.py.")
    prev = models.CharField(max_length=64, help_text="The hash of the row before.")
    hash = models.CharField(max_length=64, help_text="SHA-256 over prev and canonical.")

    class Meta:
        ordering = ["-id"]
        verbose_name = "audit event"
        indexes = [
            models.Index(fields=["tenant", "-id"], name="audit_event_of_tenant"),
            models.Index(fields=["actor", "-id"], name="audit_event_of_actor"),
            models.Index(fields=["action", "-id"], name="audit_event_of_action"),
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor}: {self.action}"


class Segment(models.Model):
    """Rows that were sealed into a file and then removed. The rows that follow hang on ``last_hash``."""

    first_seq = models.BigIntegerField(unique=True)
    last_seq = models.BigIntegerField(unique=True)
    first_prev = models.CharField(max_length=64)
    last_hash = models.CharField(max_length=64)
    file_name = models.CharField(max_length=200)
    file_sha256 = models.CharField(max_length=64)
    key = models.CharField(max_length=64, help_text="Fingerprint of the key that signed.")
    signature = models.CharField(max_length=100)
    sealed_at = models.DateTimeField()

    class Meta:
        ordering = ["first_seq"]
        verbose_name = "sealed segment of the audit log"

    def __str__(self) -> str:
        return f"{self.first_seq:,} to {self.last_seq:,} in {self.file_name}"
