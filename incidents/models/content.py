"""What an incident contains: alerts, evidence by value, tags, techniques, comments."""

from typing import ClassVar, Self

from django.db import models

from incidents.models.incident import Incident, Severity
from tenants.models import Tenant
from tenants.scope import ContentManager


class Alert(models.Model):
    """One alert. Its identity is (tenant, alert_id); it may move to another incident when Microsoft correlates anew."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False, related_name="+")
    incident = models.ForeignKey(
        Incident, on_delete=models.CASCADE, related_name="alerts", db_constraint=False, db_index=False
    )
    alert_id = models.TextField()
    title = models.TextField(blank=True)
    description = models.TextField(blank=True)
    category = models.TextField(blank=True)
    status = models.TextField(blank=True)
    severity = models.SmallIntegerField(choices=Severity.choices)
    remote_severity = models.TextField(blank=True)
    service_source = models.TextField(blank=True)
    detection_source = models.TextField(blank=True)
    classification = models.TextField(blank=True)
    determination = models.TextField(blank=True)
    investigation_state = models.TextField(blank=True)
    assigned_to = models.TextField(blank=True)
    actor = models.TextField(blank=True)
    threat_family = models.TextField(blank=True)
    techniques = models.JSONField(default=list)
    created_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    first_activity_at = models.DateTimeField(null=True)
    last_activity_at = models.DateTimeField(null=True)
    content_hash = models.BinaryField(max_length=16)
    gone_at = models.DateTimeField(null=True, help_text="Since when no incident lists it.")

    objects: ClassVar[ContentManager[Self]] = ContentManager()

    class Meta:
        base_manager_name = "objects"
        ordering = ["first_activity_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "alert_id"], name="an_alert_exists_once_in_its_tenant"),
            models.UniqueConstraint(fields=["tenant", "id"], name="an_alert_belongs_to_one_tenant"),
        ]
        # The incident comes first: before a new database has statistics, an index that begins with the tenant is taken
        # for the check that evidence belongs to an alert, and reads all of the tenant's alerts for each row.
        indexes = [models.Index(fields=["incident", "tenant"], name="alerts_of_one_incident")]

    def __str__(self) -> str:
        return self.title or self.alert_id


class Evidence(models.Model):
    """One piece of evidence of an alert: an address, a file, a process, a device … ``key`` merges repeats."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False, related_name="+")
    alert = models.ForeignKey(
        Alert, on_delete=models.CASCADE, related_name="evidence", db_constraint=False, db_index=False
    )
    kind = models.TextField()
    value = models.TextField()
    key = models.BinaryField(max_length=16)
    verdict = models.TextField(blank=True)
    remediation_status = models.TextField(blank=True)
    first_seen_at = models.DateTimeField(null=True)
    data = models.JSONField(default=dict)

    objects: ClassVar[ContentManager[Self]] = ContentManager()

    class Meta:
        base_manager_name = "objects"
        ordering = ["kind", "id"]
        verbose_name_plural = "evidence"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "alert", "key"], name="evidence_stands_once_in_its_alert")
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.value}"


class IncidentTag(models.Model):
    """A custom tag of an incident."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False, related_name="+")
    incident = models.ForeignKey(
        Incident, on_delete=models.CASCADE, related_name="tags", db_constraint=False, db_index=False
    )
    tag = models.TextField()

    objects: ClassVar[ContentManager[Self]] = ContentManager()

    class Meta:
        base_manager_name = "objects"
        constraints = [models.UniqueConstraint(fields=["tenant", "incident", "tag"], name="a_tag_stands_once")]

    def __str__(self) -> str:
        return self.tag


class IncidentTechnique(models.Model):
    """An ATT&CK technique id, such as T1078.004, that an alert of the incident names."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False, related_name="+")
    incident = models.ForeignKey(
        Incident, on_delete=models.CASCADE, related_name="techniques", db_constraint=False, db_index=False
    )
    technique = models.TextField()

    objects: ClassVar[ContentManager[Self]] = ContentManager()

    class Meta:
        base_manager_name = "objects"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "incident", "technique"], name="a_technique_stands_once")
        ]

    def __str__(self) -> str:
        return self.technique


class Comment(models.Model):
    """A comment as Microsoft returns it, by position."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False, related_name="+")
    incident = models.ForeignKey(
        Incident, on_delete=models.CASCADE, related_name="comments", db_constraint=False, db_index=False
    )
    position = models.IntegerField()
    text = models.TextField()
    created_by = models.TextField(blank=True)
    created_at = models.DateTimeField(null=True)

    objects: ClassVar[ContentManager[Self]] = ContentManager()

    class Meta:
        base_manager_name = "objects"
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "incident", "position"], name="a_comment_has_one_position")
        ]

    def __str__(self) -> str:
        return f"comment {self.position}"
