"""The history of our copy of an incident: what the store writes down when a newer version differs, and how it is read.

Only the head counts: what a person decided or Microsoft decided anew. A version that differs in nothing of it, and one
that was read again by a newer parser from the same bytes, leave no row, so that most pages write none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from defender import vocabulary
from incidents.models import Incident, IncidentChange
from tenants.models import SyncRun

# The head's fields in the order they are shown, and what people call them.
FIELDS: Final = {
    "remote_status": "Status",
    "remote_severity": "Severity",
    "assigned_to": "Assigned to",
    "classification": "Classification",
    "determination": "Determination",
    "tags": "Tags",
    "name": "Name",
    "redirect_number": "Merged into",
    "alert_count": "Alerts",
    "is_stub": "Readable",
    "gone": "In Defender",
}
# Ours: changes on the page at once, and after "show all".
FIRST: Final = 10
ALL: Final = 1_000
# Ours: tags of one change that are kept; Microsoft's own limit is not documented.
TAGS_KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of a change, in words for people."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ChangeLine:
    """One change: when Microsoft made it, when which pass of ours saw it (kind blank once forgotten), and who."""

    updated_at: datetime
    seen_at: datetime
    seen_by: str
    by: str
    differences: Sequence[Difference]


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    """The fields of the head that differ, each as [before, after]. Tags are compared without their order; what stood in
    the place of an incident that could not be read is no version of it.
    """
    if before["is_stub"]:
        return {} if after["is_stub"] else {"is_stub": [True, False]}
    found = {name: [before[name], after[name]] for name in FIELDS if name in before and before[name] != after.get(name)}
    if "tags" in found and set(before["tags"]) == set(after["tags"]):
        del found["tags"]
    elif "tags" in found:
        found["tags"] = [sorted(tags)[:TAGS_KEPT] for tags in found["tags"]]
    return found


def note_gone(*, tenant_id: int, incidents: Iterable[tuple[int, datetime]], now: datetime) -> None:
    """Microsoft no longer has these (key, last update): one change each, in the open scope of the worker."""
    IncidentChange.objects.bulk_create(
        IncidentChange(
            tenant_id=tenant_id, incident_id=key, seen_at=now, updated_at=at, differences={"gone": [False, True]}
        )
        for key, at in incidents
    )


def credit(*, incident: Incident, seen_at: datetime, by: str) -> None:
    """Say of the change that was stored at ``seen_at`` which person of ours made it: it was read back after a write."""
    held = IncidentChange.objects.filter(tenant_id=incident.tenant_id, incident=incident, seen_at=seen_at)
    held.update(by=by)


def history_of(incident: Incident, *, most: int = FIRST) -> tuple[list[ChangeLine], bool]:
    """The newest changes first, and whether there are more. Two queries."""
    found = IncidentChange.objects.filter(tenant_id=incident.tenant_id, incident=incident).order_by("-id")
    changes = list(found[: most + 1])
    kinds = _passes(incident.tenant_id, {change.seen_at for change in changes})
    return [_line(change, kinds) for change in changes[:most]], len(changes) > most


def _passes(tenant_id: int, moments: set[datetime]) -> dict[datetime, str]:
    if not moments:
        return {}
    runs = SyncRun.objects.filter(tenant_id=tenant_id, started_at__in=moments)
    return {run.started_at: run.get_kind_display().lower() for run in runs.only("kind", "started_at")}


def _line(change: IncidentChange, kinds: dict[datetime, str]) -> ChangeLine:
    sent = change.differences if isinstance(change.differences, dict) else {}
    told = [_told(name, *sent[name]) for name in FIELDS if name in sent]
    return ChangeLine(change.updated_at, change.seen_at, kinds.get(change.seen_at, ""), change.by, told)


def _told(name: str, before: Any, after: Any) -> Difference:
    if name == "tags":
        was, now = set(before or ()), set(after or ())
        return Difference(FIELDS[name], ", ".join(sorted(was - now)), ", ".join(sorted(now - was)))
    return Difference(FIELDS[name], _word(name, before), _word(name, after))


def _word(name: str, value: Any) -> str:
    if name == "classification":
        return vocabulary.label(str(value or ""), vocabulary.CLASSIFICATIONS)
    if name == "determination":
        return vocabulary.label(str(value or ""), vocabulary.DETERMINATIONS)
    if name in {"is_stub", "gone"}:
        return "no" if value else "yes"
    if name == "redirect_number":
        return f"#{value}" if value else ""
    return "" if value is None else str(value)
