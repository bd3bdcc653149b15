"""What the tests of incoming incidents arrange: a connected tenant, incidents as bytes, pages stored by a worker."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from incidents.store import PageResult, store_page
from tenants import scope
from tenants.models import Customer, SyncState, Tenant, TenantState
from tests.conftest import as_worker
from tests.defender.payloads import documented_alert, documented_incident

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
FIRST = datetime(2026, 3, 1, tzinfo=UTC)


def connected_tenant(name: str = "Contoso", *, entra_id: UUID | str | None = None) -> Tenant:
    """A connected tenant whose first pass is due."""
    with scope.operations():
        customer, _ = Customer.objects.get_or_create(name=name)
        tenant = Tenant.objects.create(
            customer=customer,
            entra_id=entra_id or uuid4(),
            slug=name.lower(),
            name=name,
            state=TenantState.CONNECTED,
            state_since=NOW,
            connected_at=NOW,
        )
        state, _ = SyncState.objects.get_or_create(tenant=tenant)
        SyncState.objects.filter(pk=state.pk).update(next_due_at=datetime.now(UTC) - timedelta(seconds=1))
    return tenant


def moment(number: float) -> str:
    """A last-update time, later for higher numbers."""
    return f"{FIRST + timedelta(seconds=number):%Y-%m-%dT%H:%M:%S}.1234567Z"


def incident(number: int, *, updated: float | str | None = None, **fields: Any) -> dict[str, Any]:
    """One incident as an object; it was updated as many seconds after the first as its number unless told otherwise."""
    text = updated if isinstance(updated, str) else moment(number if updated is None else updated)
    alerts = fields.pop("alerts", None)
    if alerts is None:
        alerts = [documented_alert(number, alertId=f"da{number}_1", incidentId=number)]
    return documented_incident(number, **{"lastUpdateTime": text, "alerts": alerts, **fields})


def sent(raw: Any) -> bytes:
    """As it goes over the wire."""
    return json.dumps(raw, separators=(",", ":")).encode()


def store(tenant: Tenant, *raws: Any, now: datetime = NOW) -> PageResult:
    """Store one page as a worker does; bytes go in as they are."""
    with as_worker():
        return store_page(tenant=tenant, items=[raw if isinstance(raw, bytes) else sent(raw) for raw in raws], now=now)


def newest_first(raws: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """In the order of the service."""
    return sorted(raws, key=lambda raw: str(raw["lastUpdateTime"]), reverse=True)
