"""Four ways to store the same pages in the same tables: ours, two honest ones with the ORM, and COPY as a floor."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import psycopg
from django.db import transaction
from psycopg.types.json import Jsonb

from defender.wire import WireAlert, WireIncident, read_incident
from incidents import rows
from incidents.entries import read_entry
from incidents.models import Alert, Evidence, Incident, IncidentRaw, IncidentSearch
from incidents.rows import Version
from incidents.store import store_page
from tenants import leases, scope
from tenants.leases import Lease
from tenants.models import Tenant

Page = Sequence[bytes]
Method = Callable[[Tenant, Page, datetime], None]


def ours(lease: Lease) -> Method:
    """As a worker does it: under the lease's fence, as the worker's role."""

    def store(tenant: Tenant, page: Page, now: datetime) -> None:
        store_page(tenant=tenant, items=page, now=now, fence=lambda: leases.fence(lease))

    return store


def read(page: Page, now: datetime) -> list[Version]:
    """Every incident parsed: what the baselines cannot do without."""
    entries = [read_entry(item) for item in page]
    return [rows.version_of(entry, read_incident(entry.raw), now=now) for entry in entries]


def read_only(_: Tenant, page: Page, now: datetime) -> None:
    """What reading costs alone: no way to store can do with less in the client."""
    read(page, now)


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    """A row for the ORM: digests as bytes, no column that another table has."""
    made = _without(row, "search")
    for name in ("content_hash", "key"):
        if name in made:
            made[name] = bytes.fromhex(made[name][2:])
    return made


def _without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def bulk_create(tenant: Tenant, page: Page, now: datetime) -> None:
    """Three ``bulk_create(update_conflicts=True)``, and two more for raw bytes and search text."""
    versions = read(page, now)
    with scope.tenant(tenant.pk):
        held = [
            Incident(tenant=tenant, first_seen_at=now, changed_at=now, **_fields(version.row)) for version in versions
        ]
        names = [name for name in _fields(versions[0].row) if name != "number"]
        stored = Incident.objects.bulk_create(
            held, update_conflicts=True, unique_fields=["tenant", "number"], update_fields=[*names, "changed_at"]
        )
        ids = {incident.number: incident.pk for incident in stored}
        IncidentRaw.objects.bulk_create(
            [IncidentRaw(incident_id=ids[v.number], tenant=tenant, body=v.entry.raw) for v in versions],
            update_conflicts=True, unique_fields=["incident"], update_fields=["body"],
        )  # fmt: skip
        IncidentSearch.objects.bulk_create(
            [IncidentSearch(incident_id=ids[v.number], tenant=tenant, text=v.row["search"]) for v in versions],
            update_conflicts=True, unique_fields=["incident"], update_fields=["text"],
        )  # fmt: skip
        _bulk_alerts(tenant, versions, ids)


def _bulk_alerts(tenant: Tenant, versions: Sequence[Version], ids: dict[int, int]) -> None:
    sent = rows.alerts_of(versions)
    made = []
    for number, alert in sent.values():
        fields = _fields(_without(rows.alert_row(number, alert), "number"))
        made.append(Alert(tenant=tenant, incident_id=ids[number], **{**fields, "techniques": list(alert.techniques)}))
    names = [name for name in fields if name != "alert_id"]
    stored = Alert.objects.bulk_create(
        made, update_conflicts=True, unique_fields=["tenant", "alert_id"], update_fields=[*names, "incident"]
    )
    keys = {alert.alert_id: alert.pk for alert in stored}
    evidence = [
        Evidence(
            tenant=tenant, alert_id=keys[alert.alert_id], **_fields({k: v for k, v in row.items() if k != "alert_id"})
        )
        for _, alert in sent.values()
        for row in rows.evidence_rows(alert)
    ]
    Evidence.objects.bulk_create(
        evidence, update_conflicts=True, unique_fields=["tenant", "alert", "key"],
        update_fields=["kind", "value", "verdict", "remediation_status", "first_seen_at", "data"], batch_size=2000,
    )  # fmt: skip


def update_or_create(tenant: Tenant, page: Page, now: datetime) -> None:
    """One ``update_or_create`` per row, all in one transaction."""
    with scope.tenant(tenant.pk), transaction.atomic():
        for version in read(page, now):
            fields = _fields(_without(version.row, "number"))
            incident, _ = Incident.objects.update_or_create(
                tenant=tenant, number=version.number, defaults={**fields, "changed_at": now, "first_seen_at": now}
            )
            IncidentRaw.objects.update_or_create(
                incident=incident, defaults={"tenant": tenant, "body": version.entry.raw}
            )
            IncidentSearch.objects.update_or_create(
                incident=incident, defaults={"tenant": tenant, "text": version.row["search"]}
            )
            _one_by_one(tenant, incident, version.incident)


def _one_by_one(tenant: Tenant, incident: Incident, wire: WireIncident | None) -> None:
    for alert in wire.alerts if wire else ():
        fields = _fields(_without(rows.alert_row(0, alert), "number", "alert_id"))
        held, _ = Alert.objects.update_or_create(
            tenant=tenant, alert_id=alert.alert_id,
            defaults={**fields, "techniques": list(alert.techniques), "incident": incident},
        )  # fmt: skip
        for row in rows.evidence_rows(alert):
            values = _fields(_without(row, "alert_id", "key"))
            Evidence.objects.update_or_create(
                tenant=tenant, alert=held, key=bytes.fromhex(row["key"][2:]), defaults=values
            )


class Copied:
    """COPY alone, ids from the client, as a role that row-level security does not hold: it refuses COPY."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self.connection = connection

    def __call__(self, tenant: Tenant, page: Page, now: datetime) -> None:
        versions = read(page, now)
        alerts = list(rows.alerts_of(versions).values())
        evidence = [row for _, alert in alerts for row in rows.evidence_rows(alert)]
        first, alert_first, evidence_first = (
            self._ids(table, len(of))
            for table, of in (("incident", versions), ("alert", alerts), ("evidence", evidence))
        )
        ids = {version.number: first + place for place, version in enumerate(versions)}
        keys = {alert.alert_id: alert_first + place for place, (_, alert) in enumerate(alerts)}
        with self.connection.transaction():
            own = {"tenant_id": tenant.pk}
            for version in versions:
                version.row["id"] = ids[version.number]
            heads = [
                {**own, "first_seen_at": now, "changed_at": now, **_fields(_without(version.row, "search"))}
                for version in versions
            ]
            self._copy("incident", heads)
            self._copy("incidentraw", [{**own, "incident_id": ids[v.number], "body": v.entry.raw} for v in versions])
            texts = [{**own, "incident_id": ids[v.number], "text": v.row["search"]} for v in versions]
            self._copy("incidentsearch", texts)
            self._copy("alert", [self._alert(own, number, alert, ids, keys) for number, alert in alerts])
            pieces = [
                {**own, **_fields(row), "id": evidence_first + place, "alert_id": keys[row["alert_id"]],
                 "data": Jsonb(row["data"])}
                for place, row in enumerate(evidence)
            ]  # fmt: skip
            self._copy("evidence", pieces)
            self._labels(tenant, versions, ids)

    @staticmethod
    def _alert(
        own: dict[str, Any], number: int, alert: WireAlert, ids: dict[int, int], keys: dict[str, int]
    ) -> dict[str, Any]:
        row = _fields(_without(rows.alert_row(number, alert), "number"))
        row["techniques"] = Jsonb(list(alert.techniques))
        return {**own, **row, "id": keys[alert.alert_id], "incident_id": ids[number]}

    def _labels(self, tenant: Tenant, versions: Sequence[Version], ids: dict[int, int]) -> None:
        found = rows.label_rows(versions)
        for table, kind in (("incidenttag", "tag"), ("incidenttechnique", "technique")):
            of_kind = {(ids[row["number"]], row["label"]) for row in found if row["kind"] == kind}
            start = self._ids(table, len(of_kind))
            made = [
                {"id": start + place, "tenant_id": tenant.pk, "incident_id": incident, kind: label}
                for place, (incident, label) in enumerate(sorted(of_kind))
            ]
            self._copy(table, made)

    def _ids(self, table: str, count: int) -> int:
        query = f"SELECT setval('incidents_{table}_id_seq', nextval('incidents_{table}_id_seq') + {count})"
        row = self.connection.execute(query).fetchone()
        return int(row[0]) - count if row else 0

    def _copy(self, table: str, made: Sequence[dict[str, Any]]) -> None:
        if not made:
            return
        names = list(made[0])
        with self.connection.cursor() as cursor, cursor.copy(
            f"COPY incidents_{table} ({', '.join(names)}) FROM STDIN"
        ) as copy:  # fmt: skip
            for row in made:
                copy.write_row([row[name] for name in names])
