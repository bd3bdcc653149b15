"""The forms of the door (password, code, and both once more), and of a person's preferences."""

from datetime import datetime
from typing import Any, cast

from django import forms
from django.contrib.auth.forms import AuthenticationForm

from accounts.models import Theme
from accounts.time_zones import zone_choices


class SignInForm(AuthenticationForm):
    """Username and password. One message for every failure: it does not tell whether the account exists."""

    error_messages = {
        "invalid_login": "Username and password do not match an account that may sign in.",
        "inactive": "Username and password do not match an account that may sign in.",
    }


def account_name(typed: str) -> str:
    """The user name that the form makes of what was typed; each has many ways to be written, and they are one account.

    No account has a longer name than 150 characters.
    """
    return str(SignInForm.base_fields["username"].to_python(typed.strip()[:150]))


class CodeForm(forms.Form):
    """A code of the authenticator, or a recovery code."""

    code = forms.CharField(
        label="Code",
        max_length=40,
        help_text="The six digits your authenticator shows now, or one of your recovery codes.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}),
    )


class FirstCodeForm(forms.Form):
    """The first code of a new authenticator."""

    code = forms.CharField(
        label="Code",
        max_length=10,
        help_text="The six digits your authenticator shows now.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


class AgainForm(forms.Form):
    """Who is signed in with a password proves once more who they are; ``code`` goes where none is demanded."""

    password = forms.CharField(
        label="Password",
        max_length=1000,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
    code = forms.CharField(
        label="Code",
        max_length=40,
        help_text="The six digits your authenticator shows now, or one of your recovery codes.",
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "spellcheck": "false"}),
    )


class PreferencesForm(forms.Form):
    """How the portal looks and listens, for one person."""

    time_zone = forms.ChoiceField(
        label="Time zone", help_text="Times are shown in it; the exact value has UTC beside it."
    )
    theme = forms.ChoiceField(label="Theme", choices=Theme.choices, widget=forms.RadioSelect)
    high_contrast = forms.BooleanField(label="High contrast, also where the system does not ask for it", required=False)
    single_keys = forms.BooleanField(label="Shortcuts of one key, such as j and a", required=False)

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["time_zone"]).choices = zone_choices(now)
