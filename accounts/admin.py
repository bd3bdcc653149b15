"""People and their grants in the admin."""

from typing import Any, TypeVar, cast

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import BaseUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils import timezone
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import second_factor, session_limits
from accounts.actor import actor_for
from accounts.models import User
from accounts.step_up import fresh_sign_in_to_change
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


F = TypeVar("F", bound=type[Any])


def filled_in_by(request: HttpRequest, form: F) -> F:
    """The form class, whose ``by`` is the person who fills it in."""
    return cast(F, type(form.__name__, (form,), {"by": request.user}))


class FreshAdmin(AuditedAdmin):
    """Who may do what is changed here: only by somebody who has just proved who they are."""

    def get_urls(self) -> list[URLPattern]:
        """Every page of this model, so that none is forgotten: adding, changing, deleting, actions, passwords."""
        patterns = super().get_urls()
        for pattern in patterns:
            pattern.callback = fresh_sign_in_to_change(pattern.callback, self.admin_site.has_permission)
        return patterns


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

    by: User | None = None  # who changes; the admin page sets it

    def clean(self) -> dict[str, Any] | None:
        """Nobody hands themselves the administration, or takes it from themselves by mistake."""
        changed = {"is_staff", "is_active"} & set(self.changed_data)
        if changed and self.by == self.instance:
            raise forms.ValidationError("Somebody else has to change this for you.")
        return super().clean()

    def clean_username(self) -> str | None:
        """The database holds the same rule; here it is a sentence."""
        name: str | None = self.cleaned_data.get("username") or None
        if self.instance.oid and name:
            raise forms.ValidationError("People from Entra ID sign in there and have no user name here.")
        if not self.instance.oid and not name:
            raise forms.ValidationError("A local account needs a user name.")
        return name


# Second factors are set up by their people; the administration shows no secret of theirs.
admin.site.unregister([TOTPDevice, StaticDevice])
admin.site.unregister(Group)  # roles come from grants over tenants; Django's own groups mean nothing here


@admin.register(User)
class PersonAdmin(FreshAdmin, UserAdmin):  # type: ignore[type-arg]
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
    actions = ["end_sessions", "reset_second_factor"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form knows who fills it in."""
        return filled_in_by(request, super().get_form(request, obj, change=change, **kwargs))

    @admin.action(description="End every session of the selected people")
    def end_sessions(self, request: HttpRequest, people: QuerySet[User]) -> HttpResponse | None:
        """Whoever is signed in as one of them is asked to sign in again."""
        by, now = actor_for(request), timezone.now()
        ended = sum(
            session_limits.end(session_limits.visits_of(person), why="ended by staff", by=by, now=now)
            for person in people
        )
        self.message_user(request, f"Sessions ended: {ended}.")
        return None

    @admin.action(description="Reset the second factor of the selected people")
    def reset_second_factor(self, request: HttpRequest, people: QuerySet[User]) -> HttpResponse | None:
        """Their next sign-in sets up a new one. Their sessions end: whoever holds the old one is out."""
        by, now = actor_for(request), timezone.now()
        for person in people:
            second_factor.forget(user=person, by=by)
            session_limits.end(session_limits.visits_of(person), why="second factor reset", by=by, now=now)
        self.message_user(request, "The next sign-in sets up a new second factor.")
        return None

    @admin.display(description="tenants")
    def tenant_set(self, person: User) -> str:
        """The person's grants in words."""
        grants = person.grants.select_related("tenant", "group").order_by("role")
        return "; ".join(f"{grant.get_role_display()}: {grant.tenant or grant.group}" for grant in grants) or "none"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """What Entra ID says at each sign-in is not written over here until the next one."""
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, "display_name", "is_staff") if obj and obj.oid else fixed

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        """The audit log speaks of people; they are switched off instead."""
        return False
