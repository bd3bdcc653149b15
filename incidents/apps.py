"""Django's name for the app."""

from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    """Incidents."""

    name = "incidents"
    verbose_name = "Incidents"
