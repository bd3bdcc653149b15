"""How the tests of the connection arrange links and tenants, and what they look at afterwards."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from audit.models import AuditEvent
from audit.record import WORKER
from tenants import links, proof, scope
from tenants.models import ConsentRequest, Tenant, TenantState
from tests.cast import make_tenant
from tests.conftest import as_worker


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


def invited(name: str = "Contoso", **more: Any) -> Tenant:
    """A tenant that staff named and nobody has consented in."""
    tenant = make_tenant(name, state=TenantState.INVITED, **more)
    with scope.operations():
        tenant.sync_state.next_due_at = tenant.sync_state.last_ok_at = None
        tenant.sync_state.save()
    return tenant


def make_link(tenant: Tenant, **more: Any) -> str:
    """The secret of a link to a tenant, however many others there are."""
    secret = links.new_secret()
    values = {
        "link_hash": links.digest(secret),
        "state_hash": links.digest(links.state_of(secret)),
        "browser_hash": links.digest(links.cookie_of(secret)),
        "asked_by": "Ada (#1)",
        "asked_at": now(),
        "expires_at": now() + timedelta(hours=1),
        **more,
    }
    with scope.operations():
        ConsentRequest.objects.create(tenant=tenant, **values)
    return secret


def request_of(secret: str) -> ConsentRequest:
    """The row behind a link."""
    with scope.operations():
        return ConsentRequest.objects.get(link_hash=links.digest(secret))


def returned(secret: str, tenant: Tenant, **more: str) -> dict[str, str]:
    """The query that Microsoft sends a browser back with after a consent."""
    return {"state": links.state_of(secret), "tenant": str(tenant.entra_id), "admin_consent": "True", **more}


def again(tenant: Tenant) -> Tenant:
    """The tenant as it is now."""
    with scope.operations():
        return Tenant.objects.select_related("customer").get(pk=tenant.pk)


def prove(tenant: Tenant, *, at: datetime | None = None) -> Tenant:
    """A worker proves the connection; returns the tenant as it is afterwards."""
    with as_worker():
        proof.prove(tenant=again(tenant), by=WORKER, now=at or now())
    return again(tenant)


def audited(action: str, **more: Any) -> list[AuditEvent]:
    """The audit rows of an action, oldest first."""
    return list(AuditEvent.objects.filter(action=action, **more).order_by("id"))


def everything_stored() -> str:
    """Every value of every column of every table, as text: where a secret would be found if it were kept."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = 'public' AND c.relkind = 'r'"
        )
        tables = [name for (name,) in cursor.fetchall()]
        stored = []
        for table in tables:
            cursor.execute(f'SELECT row_to_json(t)::text FROM "{table}" t')  # noqa: S608  names from the catalog
            stored += [row for (row,) in cursor.fetchall()]
    return "\n".join(stored)
