"""People and their grants in the admin."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import BaseUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.db.models import Model
from django.http import HttpRequest

from accounts.actor import actor_for
from accounts.models import User
from audit.record import Event, record


class AuditedAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Every change made in the admin is in the audit log, in the same transaction."""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Something was added."""
        self._audit(request, "admin: add", obj, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        """Something was changed."""
        self._audit(request, "admin: change", obj, message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Something was removed."""
        for obj in queryset:
            self._audit(request, "admin: delete", obj, "")
        return super().log_deletions(request, queryset)

    @staticmethod
    def _audit(request: HttpRequest, action: str, obj: Model, message: Any) -> None:
        subject = f"{obj._meta.verbose_name} {obj}"
        details = {"change": str(message)[:1000]}
        record(Event(by=actor_for(request), action=action, subject=subject, details=details))


class AddPersonForm(BaseUserCreationForm):  # type: ignore[type-arg]
    """A new local account."""

    class Meta:
        model = User
        fields = ("username", "display_name")
        field_classes = {"username": forms.CharField}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].required = True  # the column is empty only for people who come from Entra ID


class ChangePersonForm(UserChangeForm):  # type: ignore[type-arg]
    """An existing account: local ones keep a user name, and people from Entra ID never get one."""

    class Meta(UserChangeForm.Meta):
        model = User
        field_classes = {"username": forms.CharField}

    def clean_username(self) -> str | None:
        """The database holds the same rule; here it is a sentence."""
        name: str | None = self.cleaned_data.get("username") or None
        if self.instance.oid and name:
            raise forms.ValidationError("People from Entra ID sign in there and have no user name here.")
        if not self.instance.oid and not name:
            raise forms.ValidationError("A local account needs a user name.")
        return name


admin.site.unregister(Group)  # roles come from grants over tenants; Django's own groups mean nothing here


@admin.register(User)
class PersonAdmin(AuditedAdmin, UserAdmin):  # type: ignore[type-arg]
    """Local accounts are made here; people from Entra appear when they first sign in. Nobody is deleted: switch off."""

    form = ChangePersonForm
    add_form = AddPersonForm
    add_fieldsets = ((None, {"fields": ("username", "display_name", "password1", "password2")}),)
    fieldsets = (
        (None, {"fields": ("display_name", "username", "password")}),
        ("Access", {"fields": ("is_active", "is_staff")}),
        ("Entra ID", {"fields": ("tid", "oid")}),
        ("Dates", {"fields": ("last_login", "created_at")}),
    )
    readonly_fields = ("tid", "oid", "last_login", "created_at")
    list_display = ("display_name", "username", "is_active", "is_staff", "tenant_set", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("display_name", "username")
    ordering = ("display_name",)
    filter_horizontal = ()

    @admin.display(description="tenants")
    def tenant_set(self, person: User) -> str:
        """The person's grants in words."""
        grants = person.grants.select_related("tenant", "group").order_by("role")
        return "; ".join(f"{grant.get_role_display()}: {grant.tenant or grant.group}" for grant in grants) or "none"

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        """The audit log speaks of people; they are switched off instead."""
        return False
