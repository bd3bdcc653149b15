"""What can happen to an incident after it came: a person works on it, an alert joins it, it is merged away."""

import random
from collections.abc import Callable
from typing import Any

from sandbox.casebook import Casebook, Raw
from sandbox.cast import Tenant
from sandbox.evidence import Scene
from sandbox.incidents import SEVERITIES, make_alert, make_shell
from sandbox.moments import iso, ticks_of
from sandbox.stories import STORIES

Edit = Callable[[Raw], None]
_REMARKS = ("Looking into it.", "User confirmed it was them.", "Blocked the sender.", "Waiting for the customer.")


def dated(edit: Edit, now: int) -> Edit:
    """`edit`, then lastUpdateTime moves: to `now`, or a tick past the last one where that was later."""

    def both(raw: Raw) -> None:
        before = ticks_of(raw["lastUpdateTime"])
        edit(raw)
        raw["lastUpdateTime"] = iso(max(now, before + 1))

    return both


def setting(fields: Raw) -> Edit:
    """Set exactly these fields."""
    return lambda raw: raw.update(fields)


def plausible(rng: random.Random, tenant: Tenant) -> Edit:
    """Something that happens in a working day. A shell only gets a new date."""

    def edit(raw: Raw) -> None:
        if raw["status"] == "Redirected":
            return
        kind = rng.choices((_joined, _taken, _closed, _remarked, _raised), weights=(4, 3, 2, 2, 1))[0]
        kind(rng, tenant, raw)

    return edit


def _joined(rng: random.Random, tenant: Tenant, raw: Raw) -> None:
    story = rng.choice(STORIES)
    scene, at = Scene(rng, tenant.estate), ticks_of(raw["lastUpdateTime"])
    step = rng.choice(story.steps)
    alert = make_alert(rng, scene, story, step, incident_id=raw["incidentId"], at=at)
    raw["alerts"] = [*_list(raw.get("alerts")), alert]
    if step.severity in SEVERITIES and raw.get("severity") in SEVERITIES:
        raw["severity"] = max(raw["severity"], step.severity, key=SEVERITIES.index)


def _taken(rng: random.Random, tenant: Tenant, raw: Raw) -> None:
    raw |= {"assignedTo": rng.choice(tenant.estate.analysts), "status": "InProgress"}


def _closed(_: random.Random, tenant: Tenant, raw: Raw) -> None:
    raw |= {"assignedTo": raw.get("assignedTo") or tenant.estate.analysts[0], "status": "Resolved"}
    raw |= {"classification": "TruePositive", "determination": "Other"}


def _remarked(rng: random.Random, tenant: Tenant, raw: Raw) -> None:
    remark = {"comment": rng.choice(_REMARKS), "createdBy": rng.choice(tenant.estate.analysts)}
    raw["comments"] = [*_list(raw.get("comments")), remark | {"createdTime": raw["lastUpdateTime"]}]


def _raised(rng: random.Random, _: Tenant, raw: Raw) -> None:
    raw["severity"] = rng.choice(("Medium", "High"))


def silent(rng: random.Random) -> Edit:
    """An alert changes; whoever reads only what was updated lately does not see it."""

    def edit(raw: Raw) -> None:
        alerts = [alert for alert in _list(raw.get("alerts")) if isinstance(alert, dict)]
        if alerts:
            rng.choice(alerts)["investigationState"] = f"Running{rng.randrange(1000)}"

    return edit


def lose(alerts: list[Any]) -> Edit:
    """These alerts have gone to another incident."""
    return lambda raw: raw.update(alerts=[alert for alert in _list(raw.get("alerts")) if alert not in alerts])


def what_moves(book: Casebook, source: int) -> tuple[list[Any], list[str]]:
    """The alerts and tags that leave a merged incident."""
    version = book.get(source)
    if version is None:
        raise KeyError(source)
    raw = version.raw
    return _list(raw.get("alerts")), _list(raw.get("tags"))


def become_shell(target: int) -> Edit:
    """Become what remains after a merge into `target`."""
    return lambda raw: make_shell(raw, into=target)


def receive(alerts: list[Any], tags: list[str], target: int) -> Edit:
    """The target takes the alerts, which then name it as their incident, and the tags it does not have."""

    def edit(raw: Raw) -> None:
        moved = ({**alert, "incidentId": target} if isinstance(alert, dict) else alert for alert in alerts)
        raw["alerts"] = [*_list(raw.get("alerts")), *moved]
        own = _list(raw.get("tags"))
        raw["tags"] = [*own, *(tag for tag in tags if tag not in own)]

    return edit


def _list(value: Any) -> list[Any]:
    """A list, whatever a test has put in its place."""
    return value if isinstance(value, list) else []
