"""Addresses of the MSSP's people at Microsoft, for staff: one for all tenants, others where a tenant knows another."""

from typing import Any

from django import forms
from django.contrib import admin

from accounts.admin import AuditedAdmin
from incidents.assignees import BadAddress, checked_address
from incidents.models import Assignee, TenantAssignee
from tenants.admin import ChosenByName


class AddressForm(forms.ModelForm):  # type: ignore[type-arg]
    """An address that Microsoft would show for a person."""

    def clean_address(self) -> str:
        """A sentence where it cannot be one."""
        try:
            return checked_address(str(self.cleaned_data["address"]))
        except BadAddress as problem:
            raise forms.ValidationError(str(problem)) from problem


class AddressAdmin(ChosenByName, AuditedAdmin):
    """What both kinds have in common."""

    form: Any = AddressForm
    search_fields = ["address", "user__display_name"]
    autocomplete_fields = ["user"]
    list_select_related = ["user"]


@admin.register(Assignee)
class AssigneeAdmin(AddressAdmin):
    """The usual address of a person."""

    list_display = ["user", "address"]


@admin.register(TenantAssignee)
class TenantAssigneeAdmin(AddressAdmin):
    """A person's address in one tenant."""

    list_display = ["user", "tenant", "address"]
    list_select_related = ["user", "tenant"]
    autocomplete_fields = ["user", "tenant"]
