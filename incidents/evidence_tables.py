"""Evidence as tables: one per kind, the columns an analyst reads first, repeats across alerts shown once.

A big incident carries thousands of rows. One statement counts every kind and picks the first rows of each; only those
rows are then read in full.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from incidents.models import Evidence, Incident

# Ours: rows of a kind on the page at once, and after "show all".
FIRST = 10
ALL = 1_000

# One row per piece of evidence, however many alerts carry it: `key` is the same for the same piece in any alert.
PICK = """
WITH pieces AS (
    SELECT max(e.id) AS id, e.kind, count(*) AS alerts FROM incidents_evidence e
    JOIN incidents_alert a ON a.id = e.alert_id AND a.tenant_id = e.tenant_id
    WHERE a.tenant_id = %(tenant)s AND a.incident_id = %(incident)s AND a.gone_at IS NULL
      AND e.tenant_id = %(tenant)s {narrow}
    GROUP BY e.kind, e.key),
placed AS (
    SELECT id, kind, alerts, row_number() OVER (PARTITION BY kind ORDER BY alerts DESC, id) AS place,
           count(*) OVER (PARTITION BY kind) AS total FROM pieces)
SELECT id, kind, alerts, total FROM placed WHERE place <= %(most)s ORDER BY kind, place
"""

# Titles of the kinds, in the order they are shown; other kinds follow by name.
TITLES = {
    "device": "Devices",
    "user": "Users",
    "process": "Processes",
    "file": "Files",
    "ip": "IP addresses",
    "url": "URLs",
    "mailmessage": "Mails",
    "mailbox": "Mailboxes",
    "mailcluster": "Mail clusters",
    "registry": "Registry",
    "oauthapplication": "OAuth applications",
    "securitygroup": "Security groups",
}
# Column heading → the fields to try, first one present wins. Kinds without an entry show all their fields.
COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "device": {
        "Device": ("deviceDnsName", "deviceId", "mdatpDeviceId"),
        "System": ("osPlatform",),
        "Health": ("healthStatus",),
        "Risk": ("riskScore",),
        "Antivirus": ("defenderAvStatus",),
        "Onboarding": ("onboardingStatus",),
        "Group": ("rbacGroupName",),
    },
    "user": {
        "User": ("userPrincipalName", "accountName"),
        "Domain": ("domainName",),
        "SID": ("userSid",),
        "Entra object id": ("aadUserId",),
    },
    "process": {
        "Command line": ("processCommandLine", "fileName"),
        "Image": ("fileName",),
        "PID": ("processId",),
        "Parent PID": ("parentProcessId",),
        "Started": ("processCreationTime",),
        "Account": ("userPrincipalName", "accountName"),
    },
    "file": {
        "File": ("fileName", "filePath"),
        "Path": ("filePath",),
        "SHA-256": ("sha256",),
        "SHA-1": ("sha1",),
    },
    "ip": {"Address": ("ipAddress",)},
    "url": {"URL": ("url",)},
    "mailmessage": {
        "Subject": ("subject",),
        "Sender": ("sender", "p2Sender"),
        "Recipient": ("recipient", "userPrincipalName"),
        "Delivery": ("deliveryAction",),
        "Message id": ("internetMessageId",),
    },
    "mailbox": {"Mailbox": ("mailboxAddress", "userPrincipalName"), "Name": ("mailboxDisplayName",)},
    "registry": {
        "Hive": ("registryHive",),
        "Key": ("registryKey",),
        "Value": ("registryValue", "registryValueName"),
        "Type": ("registryValueType",),
    },
}
WIDE = frozenset({"Command line", "Path", "SHA-256", "URL", "Key", "Subject", "Fields"})
# One short word or number of Microsoft's own: nothing is gained by breaking it.
WHOLE = frozenset(
    {"System", "Health", "Risk", "Antivirus", "Onboarding", "PID", "Parent PID", "Delivery", "Hive", "Type"}
)


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """Cells (text, whether it stays in one piece) in the order of the table's columns, then what every kind has."""

    cells: Sequence[tuple[str, bool]]
    verdict: str
    remediation: str
    alerts: int


@dataclass(frozen=True, slots=True)
class EvidenceTable:
    """One kind. ``rows`` may be fewer than ``total``; ``columns`` are pairs (heading, whether it wants room)."""

    kind: str
    title: str
    columns: Sequence[tuple[str, bool]]
    rows: Sequence[EvidenceRow]
    total: int

    @property
    def anchor(self) -> str:
        """An id for the page; kinds of Microsoft's invention may hold anything."""
        return "evidence-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in self.kind)[:60]

    @property
    def hidden(self) -> int:
        """How many are not shown."""
        return self.total - len(self.rows)


def evidence_tables(incident: Incident, *, kind: str | None = None) -> list[EvidenceTable]:
    """Every kind with its first rows, or all rows (up to ALL) of one kind. Two queries."""
    picked = _pick(incident, kind)
    full = Evidence.objects.filter(tenant_id=incident.tenant_id).in_bulk([row[0] for row in picked])
    kinds: dict[str, list[tuple[Evidence, int, int]]] = {}
    for key, of_kind, alerts, total in picked:
        if key in full:
            kinds.setdefault(of_kind, []).append((full[key], alerts, total))
    order = {known: place for place, known in enumerate(TITLES)}
    return [_table(name, kinds[name]) for name in sorted(kinds, key=lambda name: (order.get(name, len(order)), name))]


def _pick(incident: Incident, kind: str | None) -> list[tuple[int, str, int, int]]:
    parameters = {
        "tenant": incident.tenant_id,
        "incident": incident.pk,
        "kind": kind,
        "most": FIRST if kind is None else ALL,
    }
    with connection.cursor() as cursor:
        cursor.execute(PICK.format(narrow="" if kind is None else "AND e.kind = %(kind)s"), parameters)
        found: list[tuple[int, str, int, int]] = cursor.fetchall()
    return found


def _table(kind: str, found: Sequence[tuple[Evidence, int, int]]) -> EvidenceTable:
    columns = COLUMNS.get(kind)
    headings = list(columns) if columns else ["Fields"]
    return EvidenceTable(
        kind=kind,
        title=TITLES.get(kind) or kind.removeprefix("other:") or "Kind not given",
        columns=[(heading, heading in WIDE) for heading in headings],
        rows=[_row(evidence, alerts, columns) for evidence, alerts, _ in found],
        total=found[0][2],
    )


def _row(evidence: Evidence, alerts: int, columns: dict[str, tuple[str, ...]] | None) -> EvidenceRow:
    data = evidence.data if isinstance(evidence.data, dict) else {"value": evidence.data}
    cells = [_first(data, fields) for fields in columns.values()] if columns else [_all_fields(data)]
    if columns and not any(cells):
        cells[0] = evidence.value
    headings = columns or ("Fields",)
    whole = [(text, heading in WHOLE) for heading, text in zip(headings, cells, strict=True)]
    return EvidenceRow(whole, evidence.verdict, evidence.remediation_status, alerts)


def _first(data: dict[str, Any], fields: Sequence[str]) -> str:
    return next((str(data[field]) for field in fields if data.get(field) not in (None, "", [], {})), "")


def _all_fields(data: dict[str, Any]) -> str:
    scalars = ((name, value) for name, value in data.items() if isinstance(value, str | int | float | bool))
    return "\n".join(f"{name}: {value}" for name, value in scalars if value != "")
