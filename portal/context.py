"""What every page knows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject


def page(request: HttpRequest) -> dict[str, Any]:
    """The portal's name, whether this is a try-out, how long a session may rest, alarms for staff, the page's nonce.

    The nonce is made where a template prints it, so that a page without scripts gets none into its policy.
    """
    from tenants.alarms import open_alarms_for

    return {
        "portal_name": settings.PORTAL_NAME,
        "is_sandbox": settings.IS_SANDBOX,
        "session_minutes": int(settings.SESSION_IDLE.total_seconds() // 60),
        "csp_nonce": SimpleLazyObject(lambda: str(getattr(request, "csp_nonce", ""))),
        "alarms": open_alarms_for(getattr(request, "user", None)),
    }
