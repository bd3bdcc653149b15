"""The form for a new token."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.utils import timezone

from accounts.models import User
from api.models import Verb
from api.tokens import LONGEST_LIFE, Reach, groups_for
from tenants import scope
from tenants.models import Tenant, TenantGroup

USUAL_LIFE = timedelta(days=90)


class TokenForm(forms.Form):
    """What a token is called, may do, is for, and how long it holds. Offers nothing that is not the person's own."""

    name = forms.CharField(max_length=60, help_text="Such as the program that will use it.")
    verbs = forms.MultipleChoiceField(
        label="It may", choices=Verb.choices, widget=forms.CheckboxSelectMultiple, initial=[Verb.READ_INCIDENTS]
    )
    is_everywhere = forms.BooleanField(label="For every tenant that I may see, also later ones", required=False)
    tenants: forms.ModelMultipleChoiceField[Tenant] = forms.ModelMultipleChoiceField(
        None, required=False, label="For these tenants"
    )
    groups: forms.ModelMultipleChoiceField[TenantGroup] = forms.ModelMultipleChoiceField(
        None, required=False, label="For the tenants of these groups"
    )
    expires_on = forms.DateField(
        label="Last day", widget=forms.DateInput(attrs={"type": "date"}),
        help_text=f"In UTC; at most {LONGEST_LIFE.days} days from now.",
    )  # fmt: skip

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        mine = Tenant.objects.filter(pk__in=scope.member_tenants(user.pk)).order_by("name")
        self.fields["tenants"].queryset = mine  # type: ignore[attr-defined]
        groups = TenantGroup.objects.filter(pk__in=[group.pk for group in groups_for(user)])
        self.fields["groups"].queryset = groups  # type: ignore[attr-defined]
        self.fields["expires_on"].initial = (timezone.now() + USUAL_LIFE).date()

    def clean(self) -> dict[str, Any]:
        """One of the three ways to say what it is for."""
        said = super().clean() or {}
        if not (said.get("is_everywhere") or said.get("tenants") or said.get("groups")):
            self.add_error("tenants", "Choose tenants or groups, or every tenant that you may see.")
        return said

    def reach(self) -> Reach:
        """Which tenants it is for."""
        said = self.cleaned_data
        if said["is_everywhere"]:
            return Reach(is_everywhere=True)
        return Reach(tenants=tuple(said["tenants"]), groups=tuple(said["groups"]))

    def expires_at(self) -> datetime:
        """The end of the last day."""
        return datetime.combine(self.cleaned_data["expires_on"], time(), UTC) + timedelta(days=1)
