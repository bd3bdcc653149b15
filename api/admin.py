"""All tokens, for staff: to look at and to revoke. No page shows a value, for none is kept."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from accounts.actor import actor_for
from accounts.admin import FreshAdmin
from api.models import Token
from api.tokens import revoke


@admin.register(Token)
class TokenAdmin(FreshAdmin):
    """Whose they are, what they are for, when they were last used."""

    list_display = ("name", "owner", "verbs", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("revoked_at",)
    search_fields = ("name", "owner__display_name")
    exclude = ("digest",)
    actions = ["revoke_selected"]

    @admin.action(description="Revoke the selected tokens")
    def revoke_selected(self, request: HttpRequest, tokens: QuerySet[Token]) -> None:
        """From the next request on they open nothing."""
        by, now = actor_for(request), timezone.now()
        revoked = sum(revoke(token=token, by=by, now=now) for token in tokens.select_related("owner"))
        self.message_user(request, f"Tokens revoked: {revoked}.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """People make their own; those of service accounts are made on the command line."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        """Actions ask for it; the page of one token is read-only all the same, since every field is."""
        return obj is None and request.user.is_staff

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        """The audit log speaks of them."""
        return False
