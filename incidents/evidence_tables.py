"""Evidence as tables: one per kind, the columns an analyst reads first, repeats across alerts shown once.

A big incident carries thousands of rows. One statement counts every kind and picks the first rows of each; only those
rows are then read in full. Processes become trees (``incidents.processes``) instead of a table. The same for one alert.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from re import compile as pattern
from typing import Any

from django.db import connection

from incidents.models import Evidence, Incident
from incidents.processes import DeviceTree, process_trees

# Ours: rows of a kind on the page at once, and after "show all". A tree of ten processes would lack most parents.
FIRST = 10
FIRST_PROCESSES = 20
ALL = 1_000
# Ours: devices whose names stand beside processes.
DEVICES = 1_000

# The alerts are given as an array: a planner that joins instead may go through all that the tenant has.
OF_INCIDENT = """e.tenant_id = %(tenant)s AND e.alert_id = ANY(ARRAY(
        SELECT a.id FROM incidents_alert a
        WHERE a.tenant_id = %(tenant)s AND a.incident_id = %(incident)s AND a.gone_at IS NULL))"""
OF_ALERT = OF_INCIDENT.replace("a.gone_at IS NULL", "a.gone_at IS NULL AND a.alert_id = %(alert)s")
# One row per piece of evidence, however many alerts carry it: `key` is the same for the same piece in any alert.
PICK = """
WITH pieces AS (
    SELECT max(e.id) AS id, e.kind, count(*) AS alerts FROM incidents_evidence e
    WHERE {owned} {narrow}
    GROUP BY e.kind, e.key),
placed AS (
    SELECT id, kind, alerts, row_number() OVER (PARTITION BY kind ORDER BY alerts DESC, id) AS place,
           count(*) OVER (PARTITION BY kind) AS total FROM pieces)
SELECT id, kind, alerts, total FROM placed
WHERE place <= CASE WHEN kind = 'process' THEN %(most_processes)s ELSE %(most)s END ORDER BY kind, place
"""
# Processes name their device by its id alone.
DEVICE_NAMES = f"""
SELECT DISTINCT coalesce(e.data->>'mdatpDeviceId', e.data->>'deviceId'), e.data->>'deviceDnsName'
FROM incidents_evidence e
WHERE {OF_INCIDENT} AND e.kind = 'device' AND e.data->>'deviceDnsName' <> '' LIMIT %(most)s
"""  # noqa: S608  only the constant above is pasted in

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
    "other:CloudApplication": "Cloud applications",
    "securitygroup": "Security groups",
}
# Column heading → the fields to try, first one present wins. Kinds without an entry show all their fields.
COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "device": {
        "Device": ("deviceDnsName", "deviceId", "mdatpDeviceId"),
        "System": ("osPlatform",),
        "Version": ("version",),
        "Health": ("healthStatus",),
        "Risk": ("riskScore",),
        "Antivirus": ("defenderAvStatus",),
        "Onboarding": ("onboardingStatus",),
        "Group": ("rbacGroupName",),
        "Signed in": ("loggedOnUsers",),
        "Tags": ("tags",),
    },
    "user": {
        "User": ("userPrincipalName", "accountName"),
        "Domain": ("domainName",),
        "SID": ("userSid",),
        "Entra object id": ("aadUserId",),
    },
    "file": {
        "File": ("fileName", "filePath"),
        "Path": ("filePath",),
        "SHA-256": ("sha256",),
        "SHA-1": ("sha1",),
        "Detection": ("detectionStatus",),
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
    "mailcluster": {
        "Clustered by": ("clusterBy",),
        "Value": ("clusterByValue",),
        "Mails": ("emailCount",),
    },
    "oauthapplication": {"Application": ("applicationName",), "Application id": ("applicationId",)},
    "securitygroup": {"Group": ("securityGroupName",), "Group id": ("securityGroupId",)},
    "mailbox": {"Mailbox": ("mailboxAddress", "userPrincipalName"), "Name": ("mailboxDisplayName",)},
    "registry": {
        "Hive": ("registryHive",),
        "Key": ("registryKey",),
        "Value": ("registryValue", "registryValueName"),
        "Type": ("registryValueType",),
    },
}
WIDE = frozenset({"Path", "SHA-256", "URL", "Key", "Subject", "Fields"})
# One short word or number of Microsoft's own: nothing is gained by breaking it.
WHOLE = frozenset(
    {"System", "Version", "Health", "Risk", "Antivirus", "Onboarding", "Delivery", "Hive", "Type", "Mails"}
)
# Values that people take along to other tools; a button copies them where they are what they should be.
COPIED = frozenset({"SHA-256", "SHA-1", "Address"})
_HASH = pattern(r"[0-9A-Fa-f]{32,64}")
# Shapes beside Microsoft's words, as far as they are known: what a device's state means for a decision.
HEALTH = {"active": "good", "inactive": "wait", "impairedcommunication": "warning", "nosensordata": "warning"}
HEALTH["nosensordataimpairedcommunication"] = "warning"
RISK = {"high": "high", "medium": "medium", "low": "low", "informational": "informational"}


@dataclass(frozen=True, slots=True)
class Cell:
    """``look``: lines, whole (in one piece), defanged, copied, health or risk; ``key`` is the shape of the last two."""

    text: str
    look: str = "lines"
    key: str = ""


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """Cells in the order of the table's columns, then what every kind has."""

    cells: Sequence[Cell]
    verdict: str
    remediation: str
    alerts: int


@dataclass(frozen=True, slots=True)
class EvidenceTable:
    """One kind. ``shown`` may be fewer than ``total``; ``columns`` are pairs (heading, whether it wants room).

    Processes have ``trees`` instead of columns and rows.
    """

    kind: str
    title: str
    shown: int
    total: int
    columns: Sequence[tuple[str, bool]] = ()
    rows: Sequence[EvidenceRow] = ()
    trees: Sequence[DeviceTree] = ()

    @property
    def anchor(self) -> str:
        """An id for the page; kinds of Microsoft's invention may hold anything."""
        return "evidence-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in self.kind)[:60]

    @property
    def hidden(self) -> int:
        """How many are not shown."""
        return self.total - self.shown


def evidence_tables(incident: Incident, *, kind: str | None = None, alert: str | None = None) -> list[EvidenceTable]:
    """Every kind with its first rows, or up to ALL rows of one kind; by its id, of one alert only. Three queries."""
    picked = _pick(incident, kind, alert)
    full = Evidence.objects.filter(tenant_id=incident.tenant_id).in_bulk([row[0] for row in picked])
    kinds: dict[str, list[tuple[Evidence, int]]] = {}
    totals: dict[str, int] = {}
    for key, of_kind, alerts, total in picked:
        if key in full:
            kinds.setdefault(of_kind, []).append((full[key], alerts))
            totals[of_kind] = total
    order = {known: place for place, known in enumerate(TITLES)}
    names = sorted(kinds, key=lambda name: (order.get(name, len(order)), name))
    return [_table(name, kinds[name], totals[name], incident) for name in names]


def _pick(incident: Incident, kind: str | None, alert: str | None) -> list[tuple[int, str, int, int]]:
    parameters = {
        "tenant": incident.tenant_id,
        "incident": incident.pk,
        "kind": kind,
        "alert": alert,
        "most": FIRST if kind is None else ALL,
        "most_processes": FIRST_PROCESSES if kind is None else ALL,
    }
    narrow = "" if kind is None else "AND e.kind = %(kind)s"
    owned = OF_INCIDENT if alert is None else OF_ALERT
    with connection.cursor() as cursor:
        cursor.execute(PICK.format(owned=owned, narrow=narrow), parameters)
        found: list[tuple[int, str, int, int]] = cursor.fetchall()
    return found


def _table(kind: str, found: Sequence[tuple[Evidence, int]], total: int, incident: Incident) -> EvidenceTable:
    title = TITLES.get(kind) or kind.removeprefix("other:") or "Kind not given"
    if kind == "process":
        return EvidenceTable(kind, title, len(found), total, trees=process_trees(found, _device_names(incident)))
    columns = COLUMNS.get(kind)
    headings = list(columns) if columns else ["Fields"]
    rows = [_row(evidence, alerts, columns) for evidence, alerts in found]
    return EvidenceTable(
        kind, title, len(found), total, columns=[(heading, heading in WIDE) for heading in headings], rows=rows
    )


def _device_names(incident: Incident) -> dict[str, str]:
    parameters = {"tenant": incident.tenant_id, "incident": incident.pk, "most": DEVICES}
    with connection.cursor() as cursor:
        cursor.execute(DEVICE_NAMES, parameters)
        return {device: name for device, name in cursor.fetchall() if device}


def _row(evidence: Evidence, alerts: int, columns: dict[str, tuple[str, ...]] | None) -> EvidenceRow:
    data = evidence.data if isinstance(evidence.data, dict) else {"value": evidence.data}
    texts = [_first(data, fields) for fields in columns.values()] if columns else [_all_fields(data)]
    if columns and not any(texts):
        texts[0] = evidence.value
    cells = [_cell(heading, text) for heading, text in zip(columns or ("Fields",), texts, strict=True)]
    return EvidenceRow(cells, evidence.verdict, evidence.remediation_status, alerts)


def _cell(heading: str, text: str) -> Cell:
    word = text.lower()
    if heading == "URL":
        return Cell(text, "defanged")
    if heading in COPIED and _is_copied(heading, text):
        return Cell(text, "copied")
    if heading == "Health" and text:
        return Cell(text, "health", HEALTH.get(word, "odd"))
    if heading == "Risk" and word in RISK:
        return Cell(text, "risk", RISK[word])
    return Cell(text, "whole" if heading in WHOLE else "lines")


def _is_copied(heading: str, text: str) -> bool:
    """Whether it is a hash, or an address: nothing else goes to the clipboard as it was sent."""
    if heading != "Address":
        return bool(_HASH.fullmatch(text))
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def _first(data: dict[str, Any], fields: Sequence[str]) -> str:
    return next((_text(data[field]) for field in fields if data.get(field) not in (None, "", [], {})), "")


def _text(value: Any) -> str:
    """A list as words with commas; of the objects in it, such as people who are signed in, the names."""
    if isinstance(value, list):
        named = (entry.get("accountName", "") if isinstance(entry, dict) else entry for entry in value)
        return ", ".join(str(name) for name in named if name not in (None, ""))
    return str(value)


def _all_fields(data: dict[str, Any]) -> str:
    scalars = ((name, value) for name, value in data.items() if isinstance(value, str | int | float | bool))
    return "\n".join(f"{name}: {value}" for name, value in scalars if value != "")
