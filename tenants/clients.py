"""A Defender client for one tenant that spends from the tenant's budget before each call."""

from functools import partial

from defender.client import DefenderClient
from tenants import budget, tokens
from tenants.models import Tenant


def client_for(tenant: Tenant, *, background: bool = True) -> DefenderClient:
    """The client of one tenant; ``background`` calls leave a share of the budget to people."""
    spend = partial(budget.debit, tenant_id=tenant.pk, background=background)
    return DefenderClient(
        tokens.cloud(),
        tokens.transport(),
        tenant.entra_id,
        tokens.source(),
        before_call=lambda verb: spend(verb=verb),
    )
