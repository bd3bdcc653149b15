"""What every page knows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest


def page(request: HttpRequest) -> dict[str, Any]:
    """The portal's name, whether this is a try-out against the sandbox, and alarms for staff."""
    from tenants.alarms import open_alarms_for

    return {
        "portal_name": settings.PORTAL_NAME,
        "is_sandbox": settings.IS_SANDBOX,
        "alarms": open_alarms_for(getattr(request, "user", None)),
    }
