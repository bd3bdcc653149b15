"""Rows in every tenant-owned table for each tenant of the cast, each text field filled with words of its tenant."""

from datetime import UTC, datetime, timedelta

from django.apps import apps
from django.db.models import Model

from accounts.models import User
from incidents.models import (
    Absence,
    Assignee,
    Batch,
    Comment,
    Delivery,
    Incident,
    IncidentChange,
    IncidentRaw,
    IncidentTag,
    IncidentTechnique,
    Intent,
    IntentState,
    Quarantine,
    TenantAssignee,
)
from tenants import links, scope
from tenants.models import (
    Budget,
    CompletenessCheck,
    ConsentRequest,
    Customer,
    Grant,
    Membership,
    Relink,
    SyncRun,
    Tenant,
    TenantGroup,
    TenantGroupMember,
    TokenFacts,
)
from tenants.scope import ConnectionManager
from tests.cast import Cast, make_alert, make_evidence, make_incident

# The form key of Alice's decision.
ALICES = "alices-decision"
# They say who may see what, and are read inside and outside a scope; row-level security guards them too.
ACCESS: tuple[type[Model], ...] = (Grant, Membership)
SHARED_HASH = "5a" * 32


def tenant_owned() -> list[type[Model]]:
    """Every model that belongs to tenants: those with a ``tenant``, the tenant itself, and its customer."""
    owned = [model for model in apps.get_models() if any(field.name == "tenant" for field in model._meta.fields)]
    others = [model for model in owned if model not in ACCESS and model._meta.label != "audit.AuditEvent"]
    return [Tenant, Customer, *others]


def content() -> list[type[Model]]:
    """The models of incident content: everything tenant-owned that is no part of a tenant's connection."""
    owned = [model for model in tenant_owned() if model._meta.app_label != "tenants"]
    return [model for model in owned if not isinstance(model._default_manager, ConnectionManager)]


def fill(cast: Cast) -> None:
    """At least one row per tenant in every tenant-owned table."""
    for number, tenant in enumerate((cast.contoso, cast.fabrikam, cast.northwind)):
        fill_tenant(tenant, number)
    _failed_change(cast)


def fill_tenant(tenant: Tenant, number: int) -> None:
    """The rows of one tenant; the group that all are in is made with the first."""
    group, _ = TenantGroup.objects.get_or_create(name="Everybody")
    _content(tenant, number)
    _connection(tenant, group)


def canary(tenant: Tenant) -> str:
    """A word that stands in the content of this tenant and nowhere else."""
    return f"canary-of-{tenant.slug}"


def clue(tenant: Tenant) -> str:
    """A word that stands in the connection of this tenant, which staff may see, and nowhere else."""
    return f"clue-of-{tenant.slug}"


def _content(tenant: Tenant, number: int) -> None:
    word = canary(tenant)
    incident = make_incident(tenant, 7, word, host=word, account=word, words=word)
    other = make_incident(tenant, 8 + number, word)
    alert = make_alert(incident, f"alert-{number}", word)
    make_evidence(alert, "ip", word)
    # The same hash in every tenant, twice: what a page tells of other places must stay within the person's tenants.
    for one in (alert, make_alert(other, f"other-alert-{number}", word)):
        make_evidence(one, "file", SHARED_HASH, sha256=SHARED_HASH, fileName=word)
    with scope.tenant(tenant.pk):
        of_incident = {"tenant": tenant, "incident": incident}
        IncidentRaw.objects.create(**of_incident, body=word.encode())
        IncidentTag.objects.create(**of_incident, tag=word)
        IncidentTechnique.objects.create(**of_incident, technique="T1078")
        Comment.objects.create(**of_incident, position=0, text=word)
        _decision(tenant, incident, word)
        IncidentChange.objects.create(
            **of_incident,
            seen_at=datetime.now(UTC),
            updated_at=datetime.now(UTC),
            differences={"name": ["", word]},
            by=word,
        )
        Absence.objects.create(tenant=tenant, number=900 + number, looked_at=datetime.now(UTC))
        Quarantine.objects.create(
            tenant=tenant, content_hash=b"1" * 16, reason="too-large", sentence=word, body=word.encode(), size=1,
            parser_version=1, seen_at=datetime.now(UTC),
        )  # fmt: skip


def _decision(tenant: Tenant, incident: Incident, word: str) -> None:
    """One that waits for nothing any more, so that no worker finds it due."""
    at = datetime.now(UTC)
    asker = User.objects.get_or_create(username="decides", defaults={"display_name": "Decider"})[0]
    batch = Batch.objects.create(user=asker, key=tenant.slug, digest=b"1" * 16, decided_at=at, undo_until=at)
    Intent.objects.create(
        tenant=tenant, incident=incident, number=incident.number, batch=batch, user=asker, field="status",
        seen="active", wanted=word, state=IntentState.REFUSED, code="role-missing", detail=word, decided_at=at,
        settled_at=at,
    )  # fmt: skip


def _failed_change(cast: Cast) -> None:
    """Alice's own in Contoso, which she may try again."""
    at, word = datetime.now(UTC), canary(cast.contoso)
    with scope.tenant(cast.contoso.pk):
        incident = Incident.objects.get(tenant=cast.contoso, number=7)
        batch = Batch.objects.create(user=cast.alice, key=ALICES, digest=b"2" * 16, decided_at=at, undo_until=at)
        Intent.objects.create(
            tenant=cast.contoso, incident=incident, number=7, batch=batch, user=cast.alice, field="status",
            seen="active", wanted="resolved", state=IntentState.REFUSED, code="rejected", detail=word, decided_at=at,
            settled_at=at,
        )  # fmt: skip


def alices_change(cast: Cast) -> int:
    """The key of the change that failed."""
    with scope.tenant(cast.contoso.pk):
        return Intent.objects.values_list("pk", flat=True).get(tenant=cast.contoso, user=cast.alice)


def _connection(tenant: Tenant, group: TenantGroup) -> None:
    at, secret = datetime.now(UTC), links.new_secret()
    with scope.operations():
        ConsentRequest.objects.create(
            tenant=tenant, link_hash=links.digest(secret), state_hash=links.digest(links.state_of(secret)),
            asked_by=clue(tenant), asked_at=at, expires_at=at + timedelta(hours=1),
        )  # fmt: skip
        TokenFacts.objects.create(tenant=tenant, resource="xdr", readable=True, issuer=clue(tenant), obtained_at=at)
        SyncRun.objects.create(tenant=tenant, kind=SyncRun.Kind.POLL, started_at=at, detail=clue(tenant))
        asker = User.objects.get_or_create(username="asks-for-moves", defaults={"display_name": "Asker"})[0]
        Relink.objects.create(tenant=tenant, customer_name=clue(tenant), asked_by=asker, asked_at=at)
        CompletenessCheck.objects.create(tenant=tenant, checked_at=at, days=30, held=2)
        Delivery.objects.create(tenant=tenant, off_since=at, off_code="Forbidden", off_detail=clue(tenant))
        Assignee.objects.get_or_create(user=asker, defaults={"address": "asker@example.com"})
        TenantAssignee.objects.create(tenant=tenant, user=asker, address=f"{clue(tenant)}@example.com")
        Budget.objects.create(tenant=tenant, verb="list", minute_started_at=at, hour_started_at=at)
        TenantGroupMember.objects.create(group=group, tenant=tenant)
