"""The sign-in form of local accounts."""

from django.contrib.auth.forms import AuthenticationForm


class SignInForm(AuthenticationForm):
    """Username and password. One message for every failure: it does not tell whether the account exists."""

    error_messages = {
        "invalid_login": "Username and password do not match an account that may sign in.",
        "inactive": "Username and password do not match an account that may sign in.",
    }
