"""Finds a tenant from what a person types on the command line."""

from uuid import UUID

from tenants.models import Tenant


def find_tenant(text: str) -> Tenant | None:
    """By Entra tenant id, slug or domain; None where no tenant of the portal matches. Needs an open scope."""
    typed = text.strip().lower()
    try:
        return Tenant.objects.select_related("customer").filter(entra_id=UUID(typed)).first()
    except ValueError:
        named = Tenant.objects.select_related("customer")
        return named.filter(slug=typed).first() or named.filter(domain=typed).exclude(domain="").first()
