"""A Defender client for one tenant that spends from the tenant's budget before each call."""

from collections.abc import Callable

from defender.client import Call, DefenderClient
from tenants import budget, tokens
from tenants.database import give_back
from tenants.models import Tenant


def client_for(
    tenant: Tenant, *, background: bool = True, prepaid: int = 0, fence: Callable[[], object] | None = None
) -> DefenderClient:
    """The client of one tenant; ``background`` calls leave a share of the budget to people.

    ``prepaid`` list calls have been taken from the budget already, by the claim. ``fence`` is the last thing before
    each request and raises where the caller may not send it any more.
    """

    def spend(verb: Call) -> None:
        nonlocal prepaid
        if verb == "list" and prepaid:
            prepaid -= 1
        else:
            budget.debit(tenant_id=tenant.pk, verb=verb, background=background)
        if fence is not None:
            fence()
        give_back()

    return DefenderClient(tokens.cloud(), tokens.transport(), tenant.entra_id, tokens.source(), before_call=spend)
