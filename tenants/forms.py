"""Forms of the tenants' pages."""

from typing import Any

from django import forms

from accounts.models import User
from accounts.roles import Role
from tenants.consent import Refused, clean_name
from tenants.models import ConsentForm


class ConnectForm(forms.Form):
    """Who the customer is and which tenant is meant."""

    customer = forms.CharField(
        label="Customer", max_length=200, help_text="The company's name as your team knows it, such as Contoso."
    )
    tenant = forms.CharField(
        label="Tenant id or domain",
        max_length=260,
        help_text="The directory (tenant) id from the customer's Entra admin center, or one of its verified domains.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
    )
    form = forms.ChoiceField(
        label="Consent page",
        required=False,
        choices=[("", "Choose for me"), *ConsentForm.choices],
        help_text="v2 asks for one API and is right for reading incidents; v1 asks for every API of the registration.",
    )

    def clean_customer(self) -> str:
        """The name as it will be shown."""
        try:
            return clean_name(self.cleaned_data["customer"])
        except Refused as sentence:
            raise forms.ValidationError(str(sentence)) from sentence

    def asked(self) -> dict[str, Any]:
        """What ``consent.begin`` wants."""
        data = self.cleaned_data
        return {"customer_name": data["customer"], "form": data["form"]}


class GrantForm(forms.Form):
    """A person and a role. The people are those the giver may choose from, so never the giver."""

    person = forms.TypedChoiceField(label="Person")
    role = forms.ChoiceField(label="Role", choices=Role.choices)

    def __init__(self, *args: Any, people: list[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        by_id = {str(person.pk): person for person in people}
        choices = [(pk, f"{person.display_name} ({person.username or 'Entra ID'})") for pk, person in by_id.items()]
        field = forms.TypedChoiceField(label="Person", choices=choices, coerce=by_id.__getitem__)
        self.fields["person"] = field
