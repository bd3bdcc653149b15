"""The audit log in the admin: to read and search, never to change."""

from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.http import HttpRequest

from audit.models import AuditEvent


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[type-arg]
    """An admin page that shows and never changes."""

    actions: list[str] | None = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        """Nobody changes here."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        """Nobody deletes here."""
        return False


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """Newest first."""

    list_display = ["at", "actor", "action", "tenant", "subject", "outcome"]
    list_filter = ["outcome", "action"]
    search_fields = ["actor", "action", "subject", "tenant__exact"]
    date_hierarchy = None
    show_full_result_count = False
