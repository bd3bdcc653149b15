"""Django's name for the app."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """The audit log."""

    name = "audit"
    verbose_name = "Audit"
