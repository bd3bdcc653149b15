"""What analysts have decided and what has become of it at Microsoft: decisions, one row per change, and deliveries.

A batch is one decision of one person, over one incident or many. It makes intents: one row per field and incident, and
one per comment. A worker carries them to Microsoft tenant by tenant; the delivery says when a tenant is due and who
works on it, as the sync state does for reading.
"""

from __future__ import annotations

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from incidents.models.incident import Incident
from tenants.models import Tenant
from tenants.scope import ConnectionManager, ContentManager, current


class Field(models.TextChoices):
    """What an intent changes."""

    ASSIGNED_TO = "assigned_to", "Assigned to"
    STATUS = "status", "Status"
    CLASSIFICATION = "classification", "Classification"
    TAGS = "tags", "Tags"
    COMMENT = "comment", "Comment"


class IntentState(models.TextChoices):
    """How far an intent is. ``incidents.pending`` has a sentence for each."""

    QUEUED = "queued", "Queued"
    SENDING = "sending", "Sending"
    SENT = "sent", "Sent"
    CONFIRMED = "confirmed", "Confirmed"
    UNCERTAIN = "uncertain", "Uncertain"
    HELD = "held", "Held"
    CONFLICT = "conflict", "Conflict"
    REFUSED = "refused", "Refused"
    EXCEEDED = "exceeded", "Given up"
    CANCELLED = "cancelled", "Cancelled"


# A worker has something left to do; these have a date at which it is due.
WAITING = (IntentState.QUEUED, IntentState.SENDING, IntentState.SENT, IntentState.UNCERTAIN, IntentState.HELD)
# Not at Microsoft yet as far as anybody knows: whatever comes later for the same incident waits for them.
UNSENT = (IntentState.QUEUED, IntentState.SENDING, IntentState.UNCERTAIN, IntentState.HELD)
# Nothing will come of it any more, whatever happens.
SETTLED = (IntentState.CONFIRMED, IntentState.REFUSED, IntentState.EXCEEDED, IntentState.CANCELLED)
# A person may still take it back: nothing of it is under way. What was once sent may have arrived.
CANCELLABLE = (IntentState.QUEUED, IntentState.HELD, IntentState.CONFLICT)


class BatchManager(models.Manager["Batch"]):
    """A person's own decisions; a worker has no business with them."""

    def get_queryset(self) -> models.QuerySet[Batch]:
        """Narrowed to the open scope's person; raises NoScope outside one."""
        user_id = current().user_id
        everything = super().get_queryset()
        return everything.none() if user_id is None else everything.filter(user_id=user_id)


class Batch(models.Model):
    """One decision of one person. ``key`` comes from the page or the caller: the same key is the same decision."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    key = models.CharField(max_length=64)
    digest = models.BinaryField(max_length=16, help_text="Of what was asked, so that a key is not used twice.")
    answers = models.JSONField(default=list, help_text="What was answered per incident, for the same request again.")
    decided_at = models.DateTimeField()
    undo_until = models.DateTimeField(help_text="Nothing leaves before.")

    objects: ClassVar[BatchManager] = BatchManager()

    class Meta:
        base_manager_name = "objects"
        ordering = ["-decided_at", "-id"]
        verbose_name_plural = "batches"
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="a_decision_is_made_once"),
            models.CheckConstraint(condition=~Q(key=""), name="a_decision_has_a_key"),
        ]

    def __str__(self) -> str:
        return f"decision {self.pk} at {self.decided_at:%Y-%m-%d %H:%M:%S}"


class Intent(models.Model):
    """One change of one incident that a person wants at Microsoft.

    Values are ours, not Microsoft's: ``assigned_to`` a text ("" is nobody), ``status`` a key ("active", "in-progress",
    "resolved", else Microsoft's word), ``classification`` a pair [classification, determination] in our spelling,
    ``comment`` the text without its reference. ``wanted`` of tags is {"add": […], "remove": […]}, their ``seen`` and
    ``remote`` are lists.

    ``seen`` is what stood there when the person decided, ``remote`` what Microsoft had where that is a conflict.
    ``asked_number`` is the merged incident in which it was decided; the intent itself belongs to the target.
    """

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, db_index=False, related_name="+")
    incident = models.ForeignKey(
        Incident, on_delete=models.CASCADE, related_name="intents", db_constraint=False, db_index=False
    )
    number = models.BigIntegerField(help_text="Microsoft's number of the incident that is written to.")
    asked_number = models.BigIntegerField(null=True, help_text="The merged incident in which it was decided.")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="intents")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    field = models.CharField(max_length=20, choices=Field.choices)
    seen = models.JSONField()
    wanted = models.JSONField()
    remote = models.JSONField(null=True, help_text="What Microsoft had where that is a conflict.")
    mark = models.CharField(max_length=12, blank=True, help_text="The reference by which a comment is found again.")
    initials = models.CharField(max_length=8, blank=True, help_text="The analyst's, as they stand in a comment.")
    state = models.CharField(max_length=10, choices=IntentState.choices, default=IntentState.QUEUED)
    due_at = models.DateTimeField(null=True)
    attempts = models.IntegerField(default=0, help_text="Tries that failed; waits that Microsoft asked for are none.")
    code = models.CharField(max_length=64, blank=True)
    detail = models.CharField(max_length=600, blank=True, help_text="One sentence for a person.")
    step = models.CharField(max_length=600, blank=True, help_text="What to do next.")
    reference = models.CharField(max_length=128, blank=True, help_text="Microsoft's trace id, for a support case.")
    decided_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, help_text="When Microsoft was last told.")
    answered_text = models.TextField(blank=True, help_text="The incident's last update in Microsoft's answer.")
    settled_at = models.DateTimeField(null=True)

    objects: ClassVar[ContentManager[Self]] = ContentManager()

    class Meta:
        base_manager_name = "objects"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "batch", "incident", "field"], name="a_decision_changes_a_field_of_an_incident_once"
            ),
            models.UniqueConstraint(
                fields=["tenant", "incident", "mark"], condition=~Q(mark=""), name="a_comment_has_a_mark_of_its_own"
            ),
            models.CheckConstraint(condition=Q(state__in=IntentState.values), name="an_intent_is_in_a_known_state"),
            models.CheckConstraint(condition=Q(field__in=Field.values), name="an_intent_changes_a_known_field"),
            models.CheckConstraint(
                condition=(Q(state__in=WAITING) & Q(due_at__isnull=False))
                | (~Q(state__in=WAITING) & Q(due_at__isnull=True)),
                name="an_intent_that_waits_says_until_when",
            ),
            models.CheckConstraint(
                condition=(Q(state__in=SETTLED) & Q(settled_at__isnull=False))
                | (~Q(state__in=SETTLED) & Q(settled_at__isnull=True)),
                name="an_intent_that_is_settled_says_since_when",
            ),
            models.CheckConstraint(
                condition=~Q(state=IntentState.CONFLICT) | (Q(remote__isnull=False) & ~Q(code="")),
                name="a_conflict_says_what_microsoft_has",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[IntentState.HELD, IntentState.REFUSED, IntentState.EXCEEDED]) | ~Q(code=""),
                name="an_intent_that_is_kept_from_microsoft_says_why",
            ),
            models.CheckConstraint(
                condition=~Q(state=IntentState.SENT) | Q(sent_at__isnull=False), name="what_was_sent_says_when"
            ),
            models.CheckConstraint(
                condition=(Q(field=Field.COMMENT) & ~Q(mark="")) | (~Q(field=Field.COMMENT) & Q(mark="")),
                name="a_comment_and_nothing_else_has_a_mark",
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "due_at"], condition=Q(due_at__isnull=False), name="intents_that_wait"),
            models.Index(fields=["tenant", "incident", "id"], name="intents_of_an_incident"),
            models.Index(
                fields=["tenant", "number"], condition=Q(state=IntentState.SENT), name="intents_without_a_witness"
            ),
            models.Index(fields=["batch"], name="intents_of_a_decision"),
        ]

    def __str__(self) -> str:
        return f"{self.get_field_display()} of incident {self.number}: {self.get_state_display()}"


class Delivery(models.Model):
    """One row per tenant for which something was ever decided: when it is due, who works on it, whether writing is off.

    Kept by a trigger as intents come; ``lease_epoch`` grows with every claim, and every transaction of a delivery
    checks it. ``off_since`` is set by Microsoft's 403 and over with the next proof of the connection.
    """

    tenant = models.OneToOneField(Tenant, on_delete=models.CASCADE, related_name="+")
    due_at = models.DateTimeField(null=True, db_index=True)
    lease_owner = models.CharField(max_length=120, blank=True, default="")
    lease_until = models.DateTimeField(null=True)
    lease_epoch = models.BigIntegerField(default=0)
    off_since = models.DateTimeField(null=True)
    off_code = models.CharField(max_length=64, blank=True, default="")
    off_detail = models.CharField(max_length=600, blank=True, default="")
    off_reference = models.CharField(max_length=128, blank=True, default="")

    objects: ClassVar[ConnectionManager[Self]] = ConnectionManager()

    class Meta:
        base_manager_name = "objects"
        verbose_name_plural = "deliveries"
        constraints = [
            models.CheckConstraint(
                condition=Q(off_since=None, off_code="") | (Q(off_since__isnull=False) & ~Q(off_code="")),
                name="writing_that_is_off_says_why",
            ),
        ]

    def __str__(self) -> str:
        return f"delivery of tenant {self.tenant_id}"
