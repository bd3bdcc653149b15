"""One incident with alerts, evidence, comments and, where asked for, Microsoft's own bytes."""

from collections import defaultdict

import msgspec

from api import feed, schema
from incidents.decisions import seen_token
from incidents.export import as_one_line
from incidents.models import Alert, Comment, Evidence, Incident, IncidentRaw, Severity


def incident(found: Incident, *, with_raw: bool) -> schema.FullIncident:
    """An incident that ``access_incident`` has let through."""
    tenant = found.tenant_id
    (head,) = feed.incidents_by_id([tenant], [found.pk]).values()
    comments = Comment.objects.filter(tenant_id=tenant, incident=found).order_by("position")
    answer = schema.FullIncident(
        **msgspec.structs.asdict(head),
        alerts=_alerts(found),
        comments=[
            schema.Comment(text=one.text, created_by=one.created_by, created_at=one.created_at) for one in comments
        ],
        seen=seen_token(found),
    )
    if with_raw:
        answer.raw = _raw(found)
    return answer


def _alerts(found: Incident) -> list[schema.Alert]:
    alerts = Alert.objects.filter(tenant_id=found.tenant_id, incident=found, gone_at=None)
    evidence = _evidence(found)
    return [_alert(one, evidence[one.pk]) for one in alerts.order_by("first_activity_at", "id")]


def _evidence(found: Incident) -> defaultdict[int, list[schema.Evidence]]:
    by_alert: defaultdict[int, list[schema.Evidence]] = defaultdict(list)
    rows = Evidence.objects.filter(
        tenant_id=found.tenant_id, alert__tenant_id=found.tenant_id, alert__incident=found, alert__gone_at=None
    )
    for one in rows.order_by("kind", "id").iterator(chunk_size=2_000):
        by_alert[one.alert_id].append(
            schema.Evidence(
                kind=one.kind,
                value=one.value,
                verdict=one.verdict,
                remediation_status=one.remediation_status,
                first_seen_at=one.first_seen_at,
                data=one.data,
            )
        )
    return by_alert


def _alert(one: Alert, evidence: list[schema.Evidence]) -> schema.Alert:
    same = {name: getattr(one, name) for name in schema.Alert.__struct_fields__ if name not in _OTHERWISE}
    techniques = one.techniques if isinstance(one.techniques, list) else []
    severity = Severity(one.severity).name.lower()
    return schema.Alert(**same, severity=severity, techniques=[str(t) for t in techniques], evidence=evidence)  # type: ignore[arg-type]


def _raw(found: Incident) -> msgspec.Raw | None:
    kept = IncidentRaw.objects.filter(tenant_id=found.tenant_id, incident=found).first()
    return msgspec.Raw(as_one_line(bytes(kept.body)).encode()) if kept and not found.is_stub else None


_OTHERWISE = frozenset({"severity", "techniques", "evidence"})
