"""Django's name for the app."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """People and their sign-in."""

    name = "accounts"
    verbose_name = "People"
