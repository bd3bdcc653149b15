"""The people and tenants of the tests' story.

alice triages Contoso and Fabrikam; bob may only read Contoso; charlie works for Northwind and must never learn that
Contoso exists. Rows are made directly, as the owner; what the portal does with them is what the tests are about.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import blake2b
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

from django.contrib.auth.hashers import make_password
from django.utils.text import slugify

from accounts.models import User
from accounts.roles import Role
from defender.cleaning import searchable
from incidents import daily, rollup
from incidents.lifetime import Lifetime, cells_of, lifetime_of
from incidents.models import Alert, Evidence, Incident, IncidentSearch, Severity, Status
from tenants import scope
from tenants.models import Customer, Grant, SyncState, Tenant, TenantState

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
_NAMES = uuid5(NAMESPACE_DNS, "portal.test")


@dataclass(frozen=True)
class Cast:
    """Everybody, ready to act."""

    alice: User
    bob: User
    charlie: User
    contoso: Tenant
    fabrikam: Tenant
    northwind: Tenant


def make_cast() -> Cast:
    """The three people and their three tenants."""
    contoso, fabrikam, northwind = make_tenant("Contoso"), make_tenant("Fabrikam"), make_tenant("Northwind")
    return Cast(
        alice=make_person("alice", (contoso, Role.ANALYST), (fabrikam, Role.ANALYST)),
        bob=make_person("bob", (contoso, Role.VIEWER)),
        charlie=make_person("charlie", (northwind, Role.ANALYST)),
        contoso=contoso,
        fabrikam=fabrikam,
        northwind=northwind,
    )


def make_person(name: str, *grants: tuple[Tenant, Role], is_staff: bool = False) -> User:
    """A local account with a grant per tenant."""
    user = User.objects.create(
        username=name, password=_password_hash(), display_name=name.capitalize(), is_staff=is_staff
    )
    for tenant, role in grants:
        Grant.objects.create(user=user, tenant=tenant, role=role)
    return user


@cache
def _password_hash() -> str:
    """One hash for everybody: making one is slow on purpose."""
    return make_password(PASSWORD)


def make_tenant(
    name: str, *, state: TenantState = TenantState.CONNECTED, now: datetime | None = None, **more: Any
) -> Tenant:
    """A connected tenant of a customer of its own, synced just now."""
    at = now or datetime.now(UTC)
    with scope.operations():
        tenant = Tenant.objects.create(
            customer=Customer.objects.create(name=name),
            entra_id=uuid5(_NAMES, name),
            slug=slugify(name),
            name=name,
            state=state,
            state_since=at,
            connected_at=at if state == TenantState.CONNECTED else None,
            **more,
        )
        SyncState.objects.create(tenant=tenant, last_ok_at=at, next_due_at=at + timedelta(seconds=60))
    return tenant


def make_incident(
    tenant: Tenant,
    number: int,
    name: str = "Suspicious sign-in",
    *,
    severity: Severity = Severity.MEDIUM,
    status: Status = Status.ACTIVE,
    updated_at: datetime = NOW,
    words: str = "",
    **more: Any,
) -> Incident:
    """One incident with its search text and its place in the roll-up."""
    fields: dict[str, Any] = {
        "remote_status": status.label.replace(" ", ""),
        "remote_severity": severity.label,
        "is_open": status not in {Status.RESOLVED, Status.REDIRECTED},
        "created_at": updated_at - timedelta(hours=1),
        "updated_text": updated_at.isoformat(),
        "content_hash": b"0" * 16,
        "parser_version": 1,
        "first_seen_at": updated_at,
        "changed_at": updated_at,
        **more,
    }
    row = {"is_stub": False, "assigned_to": None} | fields | {"status": status.value, "updated_at": updated_at}
    life = lifetime_of(row, None)
    fields = life.columns() | fields
    with scope.tenant(tenant.pk):
        made = Incident.objects.create(
            tenant=tenant, number=number, name=name, severity=severity, status=status, updated_at=updated_at, **fields
        )
        text = searchable(f"{name} {number} {made.host} {made.account} {words}")
        IncidentSearch.objects.create(incident=made, tenant=tenant, text=text)
        rollup.add(tenant_id=tenant.pk, difference={(status.value, severity.value, not made.assigned_to): 1})
        moments = {name: getattr(made, name) for name in life.columns()}
        daily.add(tenant_id=tenant.pk, difference=cells_of(status.value, severity.value, Lifetime(**moments)))
    return made


def make_alert(incident: Incident, alert_id: str, title: str = "Malware was detected", **more: Any) -> Alert:
    """One alert of an incident."""
    fields: dict[str, Any] = {
        "severity": incident.severity,
        "status": "New",
        "content_hash": b"0" * 16,
        "first_activity_at": incident.updated_at,
        **more,
    }
    with scope.tenant(incident.tenant_id):
        return Alert.objects.create(
            tenant_id=incident.tenant_id, incident=incident, alert_id=alert_id, title=title, **fields
        )


def make_evidence(alert: Alert, kind: str, value: str, **data: Any) -> Evidence:
    """One piece of evidence of an alert; the same kind and value are the same piece in any alert."""
    key = blake2b(f"{kind}\0{value}".encode("utf-8", "replace"), digest_size=16).digest()
    with scope.tenant(alert.tenant_id):
        return Evidence.objects.create(
            tenant_id=alert.tenant_id, alert=alert, kind=kind, value=value, key=key, data=data
        )
