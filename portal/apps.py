"""Django's hooks into the project: the task queue, the system checks and the admin site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PortalConfig(AppConfig):
    """Wires Celery, the checks and the filters of log records when Django starts."""

    name = "portal"
    verbose_name = "Portal"

    def ready(self) -> None:
        """Tasks are sent through the app that is current; without this a page would talk to a default broker."""
        from portal import celery, checks, logs  # noqa: F401

        celery.app.set_default()
        logs.quiet_records()


class PortalAdminConfig(AdminConfig):
    """Django admin behind the portal's own sign-in door."""

    default_site = "portal.admin.PortalAdminSite"
