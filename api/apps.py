"""Django's name for the app."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The REST API."""

    name = "api"
    verbose_name = "API"
