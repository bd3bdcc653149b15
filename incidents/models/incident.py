"""The narrow incident row that the queue reads, its bytes as Microsoft sent them, and its search text."""

from typing import ClassVar, Self

from django.db import models
from django.urls import reverse

from tenants.models import Tenant
from tenants.scope import ContentManager


class Status(models.IntegerChoices):
    """Microsoft's incident status as a number; what we do not know stays readable in ``remote_status``."""

    ACTIVE = 1, "Active"
    IN_PROGRESS = 2, "In progress"
    RESOLVED = 3, "Resolved"
    REDIRECTED = 4, "Merged"
    OTHER = 9, "Other"


class Severity(models.IntegerChoices):
    """Rank for sorting; unknown sorts highest because nobody has said that it is harmless."""

    INFORMATIONAL = 1, "Informational"
    LOW = 2, "Low"
    MEDIUM = 3, "Medium"
    HIGH = 4, "High"
    UNKNOWN = 5, "Unknown"


class Incident(models.Model):
    """One incident of one tenant. ``number`` is Microsoft's incident id, unique in its tenant only.

    ``updated_text`` is Microsoft's lastUpdateTime with all its digits; ``updated_at`` the same, cut to microseconds.
    A merged incident (status Redirected) stays as an alias: ``redirect_number`` names the one it went into.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="incidents", db_index=False)
    number = models.BigIntegerField("incident number")
    name = models.TextField()
    status = models.SmallIntegerField(choices=Status.choices)
    remote_status = models.TextField()
    severity = models.SmallIntegerField(choices=Severity.choices)
    remote_severity = models.TextField()
    is_open = models.BooleanField()
    assigned_to = models.TextField(null=True)
    classification = models.TextField(blank=True)
    determination = models.TextField(blank=True)
    created_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()
    updated_text = models.TextField()
    redirect_number = models.BigIntegerField(null=True)
    alert_count = models.IntegerField(default=0)
    evidence_count = models.IntegerField(default=0)
    host = models.TextField(blank=True, help_text="The first device's name.")
    account = models.TextField(blank=True, help_text="The first user's name.")
    web_link = models.TextField(blank=True)
    content_hash = models.BinaryField(max_length=16)
    cleaned = models.BooleanField(default=False, help_text="Characters that cannot be stored were replaced.")
    is_stub = models.BooleanField(default=False, help_text="The incident could not be read; see quarantine.")
    parser_version = models.SmallIntegerField()
    first_seen_at = models.DateTimeField()
    changed_at = models.DateTimeField(help_text="When our copy last changed.")
    gone_at = models.DateTimeField(null=True, help_text="Since when Microsoft no longer returns it.")
    # See incidents.lifetime. The database has the defaults too, for whoever copies rows in.
    first_touched_at = models.DateTimeField(null=True, help_text="When somebody took it up, or it was closed.")
    closed_at = models.DateTimeField(null=True, help_text="When it was resolved; blank again where it was reopened.")
    seen_untouched = models.BooleanField(default=False, db_default=False, help_text="Seen before it was taken up.")
    seen_open = models.BooleanField(default=False, db_default=False, help_text="Seen before it was closed.")

    objects: ClassVar[ContentManager[Self]] = ContentManager()

    class Meta:
        base_manager_name = "objects"
        ordering = ["-updated_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="an_incident_exists_once_in_its_tenant"),
            models.UniqueConstraint(fields=["tenant", "id"], name="an_incident_belongs_to_one_tenant"),
        ]
        indexes = [
            models.Index(
                models.F("updated_at").desc(),
                models.F("id").desc(),
                include=["tenant", "severity", "status"],
                name="incident_newest_first",
            ),
            models.Index(
                models.F("updated_at").desc(),
                models.F("id").desc(),
                include=["tenant", "severity", "status"],
                condition=models.Q(is_open=True),
                name="open_incident_newest_first",
            ),
            models.Index(
                models.F("tenant"),
                models.F("severity"),
                models.F("updated_at").desc(),
                models.F("id").desc(),
                condition=models.Q(is_open=True),
                name="open_incident_by_severity",
            ),
            models.Index(fields=["tenant", "created_at"], name="incident_by_creation"),
            models.Index(
                fields=["tenant", "first_touched_at"],
                include=["severity", "created_at", "seen_untouched"],
                condition=models.Q(first_touched_at__isnull=False),
                name="incident_by_first_touch",
            ),
            models.Index(
                fields=["tenant", "closed_at"],
                include=["severity", "created_at", "seen_open"],
                condition=models.Q(closed_at__isnull=False),
                name="incident_by_closing",
            ),
            models.Index(
                fields=["assigned_to", "tenant"],
                include=["severity", "status"],
                condition=models.Q(is_open=True, assigned_to__isnull=False),
                name="open_incident_of_a_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.name}"

    def get_absolute_url(self) -> str:
        """By the tenant's slug and Microsoft's number, never by primary key."""
        return reverse("incidents:incident", args=[self.tenant.slug, self.number])


class IncidentRaw(models.Model):
    """The incident's bytes exactly as Microsoft sent them."""

    incident = models.OneToOneField(
        Incident, on_delete=models.CASCADE, primary_key=True, related_name="raw", db_constraint=False
    )
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False, related_name="+")
    body = models.BinaryField()

    objects: ClassVar[ContentManager[Self]] = ContentManager()

    class Meta:
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"raw of incident {self.incident_id}"


class IncidentSearch(models.Model):
    """Lower-case words an analyst may look for: name, hosts, accounts, addresses, hashes, alert titles, tags."""

    incident = models.OneToOneField(
        Incident, on_delete=models.CASCADE, primary_key=True, related_name="search", db_constraint=False
    )
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False, related_name="+")
    text = models.TextField()

    objects: ClassVar[ContentManager[Self]] = ContentManager()

    class Meta:
        base_manager_name = "objects"

    def __str__(self) -> str:
        return f"search text of incident {self.incident_id}"
