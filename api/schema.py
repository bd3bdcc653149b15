"""What the API takes and gives, field by field. The OpenAPI document is made of these, so each says what it is."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

Limit = Annotated[int, Meta(ge=1, le=500, description="Entries in one answer at most.")]
Cursor = Annotated[str, Meta(max_length=4_000, description="Where an earlier answer ended, as it was given.")]
Severity = Literal["informational", "low", "medium", "high", "unknown"]
Status = Literal["active", "in-progress", "resolved", "merged", "other"]


class Given(Struct, kw_only=True, forbid_unknown_fields=True):
    """What programs send: a field that is not known is an error, for it may be a misspelt one."""


class NoQuery(Given):
    """Nothing can be asked here."""


class IncidentsQuery(Given):
    """Which changes to give."""

    updated_since: Annotated[
        datetime | None,
        Meta(description="Leave out what had not changed since, of what is known at the first request."),
    ] = None
    cursor: Cursor = ""
    tenant: Annotated[list[str], Meta(max_length=200, description="Slugs of tenants; without any, all.")] = []
    limit: Limit = 100


class IncidentQuery(Given):
    """What to add."""

    include: Annotated[list[Literal["raw"]], Meta(description="raw: what Microsoft sent.")] = []


class Incident(Struct, kw_only=True):
    """An incident as our copy has it. Microsoft's values, in one spelling; ``remote_`` are its own words."""

    tenant: Annotated[str, Meta(description="The tenant's slug.")]
    tenant_id: Annotated[str, Meta(description="The Entra tenant id.")]
    number: Annotated[int, Meta(description="Microsoft's incident id, unique in its tenant.")]
    name: str
    status: Status
    remote_status: str
    severity: Severity
    remote_severity: str
    assigned_to: str | None
    classification: str
    determination: str
    created_at: datetime | None
    last_update_time: Annotated[str, Meta(description="Microsoft's, with every digit as it was sent.")]
    changed_at: Annotated[datetime, Meta(description="When our copy last changed.")]
    merged_into: Annotated[int | None, Meta(description="The number of the incident that Microsoft merged it into.")]
    gone_at: Annotated[datetime | None, Meta(description="Since when Microsoft does not return it any more.")]
    is_readable: Annotated[bool, Meta(description="False: it could not be read and lies in quarantine.")]
    alert_count: int
    evidence_count: int
    host: str
    account: str
    tags: list[str]
    techniques: list[str]
    link: Annotated[str, Meta(description="The incident in the Defender portal, where it was sent.")]


class IncidentPage(Struct, kw_only=True):
    """Changes in the order in which they came to be known."""

    incidents: list[Incident]
    cursor: Annotated[str, Meta(description="Send it with the next request, now or after a while. It does not expire.")]
    has_more: Annotated[bool, Meta(description="True: more is known already. False: ask again after a while.")]


class Evidence(Struct, kw_only=True):
    """One piece of evidence of an alert."""

    kind: str
    value: str
    verdict: str
    remediation_status: str
    first_seen_at: datetime | None
    data: Any


class Alert(Struct, kw_only=True):
    """One alert with its evidence."""

    alert_id: str
    title: str
    description: str
    category: str
    status: str
    severity: Severity
    service_source: str
    detection_source: str
    classification: str
    determination: str
    assigned_to: str
    techniques: list[str]
    created_at: datetime | None
    updated_at: datetime | None
    resolved_at: datetime | None
    first_activity_at: datetime | None
    last_activity_at: datetime | None
    evidence: list[Evidence]


class Comment(Struct, kw_only=True):
    """One comment as Microsoft has it."""

    text: str
    created_by: str
    created_at: datetime | None


class FullIncident(Incident, kw_only=True):
    """An incident with all that belongs to it."""

    alerts: list[Alert]
    comments: list[Comment]
    seen: Annotated[str, Meta(description="Send it with a decision, which then refuses to overwrite newer values.")]
    raw: Annotated[Any, Meta(description="What Microsoft sent, where it was asked for.")] | UnsetType = UNSET


class TenantHealth(Struct, kw_only=True):
    """How a tenant's connection and its incidents stand."""

    tenant: str
    tenant_id: str
    name: str
    state: Literal["invited", "waiting", "review", "connected", "degraded", "consent_lost", "disconnected"]
    as_of: Annotated[datetime | None, Meta(description="The end of the last complete pass over its incidents.")]
    mark: Annotated[str, Meta(description="What is wrong, in a few words; empty where nothing is.")]
    open_incidents: int


class Health(Struct, kw_only=True):
    """All tenants of the token, by name."""

    at: datetime
    tenants: list[TenantHealth]


class ExportQuery(Given):
    """Which incidents, as the queue filters them, and in which form."""

    format: Annotated[Literal["jsonl", "csv"], Meta(description="JSON Lines or CSV.")] = "jsonl"
    tenant: Annotated[list[str], Meta(max_length=200)] = []
    severity: list[Severity] = []
    status: Literal["open", "active", "in-progress", "other", "resolved", "merged", "all"] = "open"
    assignee: Annotated[str, Meta(max_length=200)] = ""
    q: Annotated[str, Meta(max_length=200, description="Words that must all be found.")] = ""


class ProblemSaid(Struct, kw_only=True, rename={"type_": "type"}):
    """RFC 9457."""

    type_: str
    title: str
    status: int
    detail: Annotated[str, Meta(description="A sentence that says what is wrong and what to do.")]
    code: Annotated[str, Meta(description="A word for some of them.")] = ""
