"""Makes incidents: one from a story, or a tenant's 180 days of them. Same random source, same incidents."""

import itertools
import random
from collections.abc import Sequence
from typing import Any

from sandbox.casebook import Raw
from sandbox.estate import Estate, guid
from sandbox.evidence import Scene
from sandbox.moments import DAY, HOUR, MINUTE, SECOND, cut_to, iso, ticks_of
from sandbox.stories import STORIES, Step, Story

# Fractional digits of lastUpdateTime in recorded answers: mostly seven or two, sometimes one or none.
_DIGITS = (7, 7, 7, 7, 2, 2, 2, 1, 3, 4, 5, 6, 0)
SEVERITIES = ("UnSpecified", "Informational", "Low", "Medium", "High")
_INVESTIGATIONS = ("UnsupportedAlertType", "UnsupportedAlertType", "Queued", "Running", "Benign", "PendingApproval")
_VERDICTS = (
    ("TruePositive", ("MultiStagedAttack", "MaliciousUserActivity", "CompromisedUser", "Malware", "Phishing", "Other")),
    ("InformationalExpectedActivity", ("SecurityTesting", "LineOfBusinessApplication", "ConfirmedUserActivity")),
    ("FalsePositive", ("Clean", "InsufficientData", "Other")),
)
_REMARKS = (
    "Called the user, password reset.",
    "Device isolated by the site team.",
    "Seen before, same campaign.",
    "ok",
)


def make_incident(
    rng: random.Random, estate: Estate, *, tenant_id: str, incident_id: int, at: int, story: Story | None = None
) -> Raw:
    """A new, untouched incident, created at `at` (ticks) and not touched since."""
    story = story or rng.choices(STORIES, weights=[story.weight for story in STORIES])[0]
    alerts = _alerts(rng, Scene(rng, estate), story, incident_id, at)
    digits = rng.choice(_DIGITS)
    return {
        "incidentId": incident_id,
        "incidentUri": f"https://security.microsoft.com/incidents/{incident_id}?tid={tenant_id}",
        "redirectIncidentId": None,
        "incidentName": story.name,
        "createdTime": iso(at, digits),
        "lastUpdateTime": iso(at, digits),
        "assignedTo": None,
        "classification": "Unknown",
        "determination": "NotAvailable",
        "status": "Active",
        "severity": max((alert["severity"] for alert in alerts), key=SEVERITIES.index),
        "tags": list(story.tags),
        "comments": [],
        "alerts": alerts,
    }


def _alerts(rng: random.Random, scene: Scene, story: Story, incident_id: int, at: int) -> list[Raw]:
    """An attack takes hours but is seen as one incident at its end: the alerts lie before `at`, the last one on it."""
    pauses = [rng.randrange(1, step.minutes * MINUTE) for step in story.steps]
    moment, alerts = at - sum(pauses[1:]), []
    for number, step in enumerate(story.steps):
        moment += pauses[number] if number else 0
        if step.on == "next":
            scene.move()
        alerts.append(make_alert(rng, scene, story, step, incident_id=incident_id, at=moment))
    return alerts


def make_alert(rng: random.Random, scene: Scene, story: Story, step: Step, *, incident_id: int, at: int) -> Raw:
    """One alert of a story, first seen at `at`."""
    service, detection, prefix = step.source
    device = scene.device if step.on != "none" else None
    return {
        "alertId": f"{prefix}{guid(rng)}"
        if rng.random() < 0.5
        else f"{prefix}{rng.getrandbits(62)}_-{rng.getrandbits(31)}",
        "providerAlertId": guid(rng),
        "incidentId": incident_id,
        "serviceSource": service,
        "creationTime": iso(at),
        "lastUpdatedTime": iso(at, rng.choice(_DIGITS)),
        "resolvedTime": None,
        "firstActivity": iso(at - rng.randrange(30 * MINUTE), 0),
        "lastActivity": iso(at, 0),
        "title": step.title,
        "description": step.text,
        "category": step.category,
        "status": "New",
        "severity": step.severity,
        "investigationId": rng.randrange(1, 9000) if device and rng.random() < 0.3 else None,
        "investigationState": rng.choice(_INVESTIGATIONS),
        "classification": None,
        "determination": None,
        "detectionSource": detection,
        "detectorId": guid(rng) if prefix != "ad" else "UnfamiliarLocation",
        "assignedTo": "Automation" if rng.random() < 0.2 else None,
        "actorName": story.actor,
        "threatFamilyName": story.family,
        "mitreTechniques": list(step.techniques),
        "devices": [device.shape] if device else [],
        "entities": scene.entities(step.evidence, at, device),
    }


def past_incidents(
    rng: random.Random, estate: Estate, *, tenant_id: str, count: int, shells: float, epoch: int
) -> list[Raw]:
    """`count` incidents over the 180 days before `epoch`; about `shells` of them merged into others."""
    first = rng.randrange(1000, 90_000)
    moments = sorted(epoch - rng.randrange(HOUR, 180 * DAY) for _ in range(count))
    number, found = first, []
    for at in moments:
        number += rng.choice((1, 1, 1, 2, 5))
        raw = make_incident(rng, estate, tenant_id=tenant_id, incident_id=number, at=at)
        _worked_on(rng, estate, raw, at, epoch)
        found.append(raw)
    _ties(rng, found)
    _merge_some(rng, found, shells)
    return found


def _worked_on(rng: random.Random, estate: Estate, raw: Raw, at: int, epoch: int) -> None:
    """What people did since: the older an incident, the likelier it is closed."""
    age = epoch - at
    updated = cut_to(at + rng.randrange(SECOND, max(min(age, 9 * DAY), 2 * SECOND)), rng.choice(_DIGITS))
    raw["lastUpdateTime"] = iso(max(min(updated, epoch), ticks_of(raw["createdTime"])))
    if rng.random() < (0.85 if age > 7 * DAY else 0.25):
        _close(rng, raw)
    elif rng.random() < 0.4:
        raw["status"] = "InProgress"
    if raw["status"] != "Active" or rng.random() < 0.1:
        raw["assignedTo"] = rng.choice(estate.analysts)
    if rng.random() < 0.15:
        raw["comments"].append(_remark(rng, estate, raw["lastUpdateTime"]))
    if rng.random() < 0.1:
        raw["tags"].append(rng.choice(("VIP", "Lab", "Follow up", "customer informed")))


def _close(rng: random.Random, raw: Raw) -> None:
    classification, determinations = rng.choice(_VERDICTS)
    raw |= {"status": "Resolved", "classification": classification, "determination": rng.choice(determinations)}
    for alert in raw["alerts"]:
        alert |= {"status": "Resolved", "resolvedTime": raw["lastUpdateTime"]}


def _remark(rng: random.Random, estate: Estate, at: str) -> dict[str, Any]:
    return {"comment": rng.choice(_REMARKS), "createdBy": rng.choice(estate.analysts), "createdTime": at}


def _ties(rng: random.Random, raws: Sequence[Raw]) -> None:
    for earlier, later in itertools.pairwise(raws):
        if rng.random() < 0.05 and ticks_of(earlier["lastUpdateTime"]) >= ticks_of(later["createdTime"]):
            later["lastUpdateTime"] = earlier["lastUpdateTime"]


def _merge_some(rng: random.Random, raws: list[Raw], share: float) -> None:
    """Turn some into shells that point at an incident nearby; a few of those are shells again, so chains appear."""
    for index, raw in enumerate(raws[:-1]):
        if rng.random() < share:
            target = raws[min(index + rng.randint(1, 12), len(raws) - 1)]
            make_shell(raw, into=target["incidentId"])


def make_shell(raw: Raw, *, into: int) -> None:
    """What remains of a merged incident: still listed, without alerts, pointing at its target."""
    raw |= {"status": "Redirected", "redirectIncidentId": into, "alerts": []}


def grow(raw: Raw, rng: random.Random, estate: Estate, *, alerts: int, at: int) -> None:
    """Give an incident `alerts` alerts in all: the one a parser must not choke on."""
    scene, story = Scene(rng, estate), STORIES[0]
    while len(raw["alerts"]) < alerts:
        step = story.steps[len(raw["alerts"]) % len(story.steps)]
        scene.move()
        raw["alerts"].append(make_alert(rng, scene, story, step, incident_id=raw["incidentId"], at=at))
