"""What people keep of the queue: filters under a name, and how each wants the page. Never anything of a tenant."""

from __future__ import annotations

from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.urls import reverse

MAX_NAME = 80  # ours


class SavedView(models.Model):
    """Filters of the queue under a name, as the query part of its address; one person's, who may share it.

    Row-level security shows a person their own and shared ones; who changes what is in incidents/saved_views.py too.
    """

    # The database keeps both keys in this table itself (see the migration): row-level security would hide from Django
    # some of the rows it has to take along.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_constraint=False, db_index=False
    )
    key = models.UUIDField(default=uuid4, unique=True, editable=False, help_text="Names the view in its address.")
    name = models.CharField(max_length=MAX_NAME)
    query = models.TextField(blank=True)
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="a_person_has_one_view_of_a_name"),
            models.CheckConstraint(condition=~Q(name=""), name="a_view_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """The view's own address, which stays when it is changed."""
        return reverse("incidents:saved_view", args=[self.key])


class QueuePreference(models.Model):
    """How one person wants the queue. ``columns`` are names of incidents/columns.py, null for the usual ones."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+", db_constraint=False
    )
    default_view = models.ForeignKey(
        SavedView, on_delete=models.SET_NULL, null=True, related_name="+", db_constraint=False
    )
    columns = models.JSONField(null=True)

    def __str__(self) -> str:
        return f"preference of user {self.user_id}"
