"""Staff set the address under which a person is written at Microsoft; without one nobody can be assigned."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from accounts.admin import FreshAdmin
from incidents.assignees import BadAddress, checked_address
from incidents.models import Assignee


class AssigneeForm(forms.ModelForm):  # type: ignore[type-arg]
    """One person's usual address, checked as wherever else it is set."""

    class Meta:
        model = Assignee
        fields = ("user", "address")

    def clean_address(self) -> str:
        """As it is stored, or a sentence that says what is wrong."""
        try:
            return checked_address(self.cleaned_data["address"])
        except BadAddress as problem:
            raise forms.ValidationError(str(problem)) from problem


@admin.register(Assignee)
class AssigneeAdmin(FreshAdmin):
    """The usual addresses. The address tells Microsoft's portal who works on an incident; it opens nothing here."""

    form = AssigneeForm
    list_display = ("user", "address")
    list_select_related = ("user",)
    search_fields = ("user__display_name", "address")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Whose it is stays; another person gets another row."""
        return ("user",) if obj else ()
