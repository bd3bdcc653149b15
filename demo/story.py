"""One thing that the demo makes happen: a customer that was connected takes its consent back."""

import requests
from django.utils import timezone

from audit.record import COMMAND_LINE
from demo.stack import Stack
from tenants import consent, scope
from tenants.models import Tenant


def never_connected(stack: Stack) -> list[str]:
    """Ids of tenants that are revoked in the sandbox while the portal has never known them connected."""
    rows = requests.get(f"{stack.sandbox_url}/_sandbox/tenants", timeout=10).json()["tenants"]
    revoked = {row["id"] for row in rows if row["state"] == "revoked"}
    with scope.operations():
        known = {str(t) for t in Tenant.objects.exclude(connected_at=None).values_list("entra_id", flat=True)}
    return sorted(revoked - known)


def let_them_connect(stack: Stack, ids: list[str]) -> None:
    """Before the portal looks: these customers have consented."""
    for entra_id in ids:
        requests.post(
            f"{stack.sandbox_url}/_sandbox/tenants/{entra_id}/state", json={"state": "connected"}, timeout=10
        ).raise_for_status()


def take_consent_back(stack: Stack, ids: list[str]) -> None:
    """After the first sync: they delete the application, and the portal looks again."""
    for entra_id in ids:
        url = f"{stack.sandbox_url}/_sandbox/tenants/{entra_id}/state"
        requests.post(url, json={"state": "revoked"}, timeout=10).raise_for_status()
        with scope.operations():
            tenant = Tenant.objects.get(entra_id=entra_id)
            consent.ask_check(tenant=tenant, by=COMMAND_LINE, now=timezone.now())
