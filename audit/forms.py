"""The filters above the audit log's page."""

from typing import Any

from django import forms

from audit.models import Outcome
from audit.search import CHANGED, LOOKED, Search, known_actions


class SearchForm(forms.Form):
    """Reads an address; nothing is required."""

    tenant = forms.UUIDField(label="Tenant id", required=False)
    person = forms.CharField(label="Who", required=False, max_length=200)
    kind = forms.ChoiceField(
        label="What", required=False, choices=[("", "All"), (LOOKED, "Looked at"), (CHANGED, "Changed")]
    )
    action = forms.ChoiceField(label="Action", required=False)
    outcome = forms.ChoiceField(label="Outcome", required=False, choices=[("", "Any"), *Outcome.choices])
    since = forms.DateField(label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    until = forms.DateField(label="To", required=False, widget=forms.DateInput(attrs={"type": "date"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["action"].choices = [("", "Any"), *((name, name) for name in known_actions())]  # type: ignore[attr-defined]

    def search(self) -> Search:
        """What was asked for; the form must be valid."""
        return Search(**self.cleaned_data)
