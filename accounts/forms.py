"""The sign-in form of local accounts."""

from django.contrib.auth.forms import AuthenticationForm


class SignInForm(AuthenticationForm):
    """User name and password. One message for every failure: it does not tell whether the account exists."""

    error_messages = {
        "invalid_login": "User name and password do not match an account that may sign in.",
        "inactive": "User name and password do not match an account that may sign in.",
    }
