"""Customers, tenants, access and runs in the admin."""

import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelect
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from accounts.actor import actor_for
from accounts.admin import AuditedAdmin, FreshAdmin, PersonAdmin, filled_in_by
from accounts.models import User
from audit.admin import ReadOnlyAdmin
from audit.record import Event, record
from defender.permissions import CAPABILITIES
from tenants import local_sign_ins
from tenants.alarms import clear_alarm
from tenants.grants import NEVER_TO_SELF, reaches
from tenants.models import Alarm, ConsentRequest, Customer, Grant, SyncRun, Tenant, TenantGroup, TenantGroupMember
from tenants.models import TokenFacts as Facts

SHOWN = (
    "name", "customer", "entra_id", "slug", "domain", "state", "state_since", "state_code", "state_detail",
    "state_reference", "granted_roles", "missing_roles", "accepted_roles", "token_facts_shown", "checked_at",
    "check_due_at", "connected_at", "last_pass",
)  # fmt: skip


class NoDelete:
    """What others refer to is never deleted here."""

    def has_delete_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        """Nobody deletes here."""
        return False


@admin.register(Customer)
class CustomerAdmin(NoDelete, AuditedAdmin):
    """Names of customers."""

    list_display = ["name", "created_at"]
    search_fields = ["name"]


class RunInline(admin.TabularInline):  # type: ignore[type-arg]
    """The last runs of a tenant, to read."""

    model = SyncRun
    fields = readonly_fields = ("kind", "started_at", "seconds", "pages", "seen", "new", "changed", "ended", "detail")
    extra = 0
    can_delete = False
    ordering = ["-started_at"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SyncRun]:
        """The newest few; a slice would break the formset, so ids are picked."""
        everything: QuerySet[SyncRun] = super().get_queryset(request)
        found = request.resolver_match and request.resolver_match.kwargs.get("object_id")
        if not found or not str(found).isdigit():
            return everything.none()
        newest = SyncRun.objects.filter(tenant_id=found).order_by("-started_at").values_list("pk", flat=True)[:10]
        return everything.filter(pk__in=list(newest))

    def has_add_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        """Workers write runs."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object | None = None) -> bool:
        """Runs are history."""
        return False


@admin.register(Tenant)
class TenantAdmin(NoDelete, AuditedAdmin):
    """Consent state and decoded token roles. Tenants are named and connected on the portal's own page."""

    list_display = [
        "name",
        "customer",
        "state",
        "granted_roles",
        "missing_roles",
        "state_since",
        "last_pass",
        "checked_at",
    ]
    list_filter = ["state"]
    search_fields = ["name", "domain", "customer__name", "entra_id__exact"]
    list_select_related = ["customer", "sync_state"]
    fields = SHOWN
    readonly_fields = SHOWN[1:]
    inlines = [RunInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        """With the facts of the last token."""
        return super().get_queryset(request).prefetch_related("token_facts")

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Connecting has its own page."""
        return redirect("tenants:connect_tenant")

    @admin.display(description="roles in the token")
    def granted_roles(self, tenant: Tenant) -> str:
        """Decoded roles, or why there are none."""
        facts = _facts(tenant)
        if facts is None:
            return "no token yet"
        return ", ".join(facts.roles) or "none" if facts.readable else "roles unknown"

    @admin.display(description="roles missing")
    def missing_roles(self, tenant: Tenant) -> str:
        """Asked for and not in the token."""
        from tenants.tokens import role_facts

        facts = _facts(tenant)
        missing = [fact.role for fact in role_facts(facts.roles) if fact.state == "missing"] if facts else []
        return ", ".join(missing) or "–"

    @admin.display(description="token facts")
    def token_facts_shown(self, tenant: Tenant) -> str:
        """Audience, issuer, tenant, app and times of the last token; never the token."""
        facts = _facts(tenant)
        if facts is None:
            return "no token yet"
        shown = {
            "audience": facts.audience, "issuer": facts.issuer, "tenant": facts.token_tenant, "app": facts.app_id,
            "issued": facts.issued_at, "expires": facts.expires_at, "last live read": facts.proven_at,
        }  # fmt: skip
        return "; ".join(f"{name}: {value or '–'}" for name, value in shown.items())

    @admin.display(description="last complete pass")
    def last_pass(self, tenant: Tenant) -> Any:
        """End of the last complete pass."""
        state = getattr(tenant, "sync_state", None)
        return state.last_ok_at if state else None


def _facts(tenant: Tenant) -> Facts | None:
    return next(
        (facts for facts in tenant.token_facts.all() if facts.resource == CAPABILITIES["sync_incidents"].resource.key),
        None,
    )


@admin.register(SyncRun)
class SyncRunAdmin(ReadOnlyAdmin):
    """What each pass did."""

    list_display = [
        "started_at",
        "tenant",
        "kind",
        "ended",
        "seconds",
        "pages",
        "seen",
        "new",
        "changed",
        "quarantined",
    ]
    list_filter = ["ended", "kind"]
    search_fields = ["tenant__name", "detail", "reference"]
    list_select_related = ["tenant"]
    show_full_result_count = False


@admin.register(ConsentRequest)
class ConsentRequestAdmin(ReadOnlyAdmin):
    """Links that were made and what came of them; hashes stay out of sight."""

    list_display = ["asked_at", "tenant", "asked_by", "form", "expires_at", "opened_at", "returned_at", "outcome"]
    list_filter = ["outcome"]
    list_select_related = ["tenant"]
    exclude = ["link_hash", "state_hash", "browser_hash"]


class Choice(AutocompleteSelect):
    """Django's own field, but what is no key at all chooses nothing: from an address or a form it may be any text."""

    def optgroups(self, name: str, value: Sequence[str], attrs: dict[str, Any] | None = None) -> Any:
        """The chosen row, if there is one."""
        return super().optgroups(name, [one for one in value if re.fullmatch(r"[0-9]{0,18}", one)], attrs)


class ChosenByName:
    """Mixin: the fields in ``autocomplete_fields`` take any text and say what is wrong with it."""

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """With our own field in place of Django's."""
        if db_field.name in self.autocomplete_fields:  # type: ignore[attr-defined]
            kwargs["widget"] = Choice(db_field, self.admin_site)  # type: ignore[attr-defined]
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]


class MemberInline(ChosenByName, admin.TabularInline):  # type: ignore[type-arg]
    """Tenants of a group."""

    model = TenantGroupMember
    extra = 0
    autocomplete_fields = ["tenant"]


class GroupForm(forms.ModelForm):  # type: ignore[type-arg]
    """Whoever has a role over a group does not widen it: that would be a role given to themselves."""

    by: User | None = None

    def clean(self) -> dict[str, Any] | None:
        """Looked at before the tenants of the group are."""
        if self.by and reaches(self.instance, self.by):
            raise forms.ValidationError("You have a role over this group: somebody else has to change it.")
        return super().clean()


@admin.register(TenantGroup)
class TenantGroupAdmin(FreshAdmin):
    """Named sets of tenants to grant roles over."""

    form = GroupForm

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form knows who fills it in."""
        return filled_in_by(request, super().get_form(request, obj, change, **kwargs))

    list_display = ["name", "covers_all"]
    search_fields = ["name"]
    inlines = [MemberInline]


class GrantAdminForm(forms.ModelForm):  # type: ignore[type-arg]
    """A grant that somebody makes or changes: never one to themselves."""

    by: User | None = None

    def clean(self) -> dict[str, Any] | None:
        """The database refuses it too; here it is a sentence."""
        cleaned = super().clean() or self.cleaned_data
        if self.has_changed() and self.by and self.by in (cleaned.get("user"), getattr(self.instance, "user", None)):
            raise forms.ValidationError(NEVER_TO_SELF)
        return cleaned


class GrantInline(ChosenByName, admin.TabularInline):  # type: ignore[type-arg]
    """A person's roles over tenants and groups."""

    model = Grant
    extra = 0
    autocomplete_fields = ["tenant", "group"]

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        """Each row knows who fills it in."""
        return super().get_formset(request, obj, **{"form": filled_in_by(request, GrantAdminForm), **kwargs})


PersonAdmin.inlines = [GrantInline]  # people know nothing of tenants, so the inline is added from here


@admin.register(Grant)
class GrantAdmin(ChosenByName, FreshAdmin):
    """Who may do what where."""

    list_display = ["user", "role", "tenant", "group", "granted_at"]
    list_filter = ["role"]
    list_select_related = ["user", "tenant", "group"]
    autocomplete_fields = ["user", "tenant", "group"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form knows who fills it in."""
        return super().get_form(request, obj, change, **{"form": filled_in_by(request, GrantAdminForm), **kwargs})

    def save_model(self, request: HttpRequest, obj: Grant, form: Any, change: bool) -> None:
        """Note who granted it."""
        obj.granted_by = request.user.display_name if isinstance(request.user, User) else ""
        super().save_model(request, obj, form, change)


@admin.register(Alarm)
class AlarmAdmin(ReadOnlyAdmin):
    """What the MSSP itself must mend."""

    list_display = ["raised_at", "sentence", "step", "cleared_at"]
    actions = ["mark_as_seen"]

    @admin.action(description="Mark alarms of local sign-ins as seen")
    def mark_as_seen(self, request: HttpRequest, alarms: QuerySet[Alarm]) -> None:
        """Others go when what they speak of is mended; a sign-in has only to be looked at."""
        seen = 0
        for alarm in alarms.filter(key__startswith=local_sign_ins.ALARM_KEY, cleared_at=None):
            clear_alarm(key=alarm.key)
            record(Event(by=actor_for(request), action="mark alarm as seen", subject=alarm.sentence))
            seen += 1
        self.message_user(request, f"Marked as seen: {seen}.")
