"""Django's name for the app."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Customers and tenants."""

    name = "tenants"
    verbose_name = "Tenants"
