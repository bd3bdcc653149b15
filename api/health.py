"""Tenants' health, as the queue's freshness line knows it."""

from datetime import datetime

from accounts.models import User
from api import schema
from incidents.freshness import tenants_for
from incidents.rollup import OPEN_OF_TENANTS
from incidents.selecting import select
from tenants.models import Tenant


def health(user: User, now: datetime) -> schema.Health:
    """Every tenant whose incidents the person may read. Five queries, whatever their number."""
    mine = tenants_for(user, now)
    ids = [tenant.id for tenant in mine]
    entra = dict(Tenant.objects.filter(pk__in=ids).values_list("pk", "entra_id"))
    is_open = dict(select(OPEN_OF_TENANTS, {"tenants": ids}))
    return schema.Health(
        at=now,
        tenants=[
            schema.TenantHealth(
                tenant=tenant.slug,
                tenant_id=str(entra[tenant.id]),
                name=tenant.name,
                state=tenant.state,  # type: ignore[arg-type]
                as_of=tenant.as_of,
                mark=tenant.mark,
                open_incidents=is_open.get(tenant.id, 0),
            )
            for tenant in mine
        ],
    )
