"""Numbered system checks with hints; errors among them stop production."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register


@register(deploy=True)
def production_is_safe(**kwargs: Any) -> list[CheckMessage]:
    """What must not be in production."""
    found: list[CheckMessage] = []
    if not settings.IS_HTTPS:
        found.append(Error("PORTAL_BASE_URL is not https.", hint="Put TLS in front and name it.", id="portal.E001"))
    if settings.IS_SANDBOX:
        found.append(Error("The sandbox is configured.", hint="Unset MICROSOFT_CLOUD=sandbox.", id="portal.E002"))
    if "ENTRA_CLIENT_SECRET" in settings.ENTRA_CREDENTIAL:
        found.append(
            Warning(
                "The partner credential is a client secret.",
                hint="A certificate or a federated credential is safer: docs/operations.md says how to change over.",
                id="portal.W001",
            )
        )
    if not settings.ALARM_EMAIL:
        found.append(Warning("ALARM_EMAIL is not set.", hint="Alarms then show in the portal only.", id="portal.W002"))
    return found
