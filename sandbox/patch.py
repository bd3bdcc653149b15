"""What a PATCH of an incident may say, and what it then does."""

import json
from collections.abc import Callable
from typing import Any

from sandbox.casebook import Raw
from sandbox.changes import Edit

# Microsoft Learn, "Update incidents API"; Redirected is listed there too.
STATUSES = ("Active", "InProgress", "Resolved", "Redirected")
# The determinations that go with each classification, in the spelling in which incidents are read.
DETERMINATIONS: dict[str, tuple[str, ...]] = {
    "TruePositive": (
        "MultiStagedAttack",
        "MaliciousUserActivity",
        "CompromisedUser",
        "Malware",
        "Phishing",
        "UnwantedSoftware",
        "Other",
    ),
    "InformationalExpectedActivity": (
        "SecurityTesting",
        "LineOfBusinessApplication",
        "ConfirmedUserActivity",
        "Other",
    ),
    "FalsePositive": ("Clean", "InsufficientData", "Other"),
}
# The update page spells three of them differently and one with a slip. Nobody could say which the service takes, so
# both are taken and the reading page's spelling is stored.
SYNONYMS = {
    "CompromisedAccount": "CompromisedUser",
    "ConfirmedActivity": "ConfirmedUserActivity",
    "NoEnoughDataToValidate": "InsufficientData",
    "NotEnoughDataToValidate": "InsufficientData",
    "NotMalicious": "Clean",
}


class BadPatch(ValueError):
    """A body that the service turns down with 400; the text is what the caller is told."""


def read(body: bytes, current: Raw) -> dict[str, Any]:
    """The fields to change, checked against the incident as it stands. Raises BadPatch."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict) or not fields:
        raise BadPatch("Request body is incorrect")
    for name, value in fields.items():
        if name not in _CHECKS:
            raise BadPatch(f"Unknown property '{name[:60]}'; names are case-sensitive")
        _CHECKS[name](value)
    _check_pair(fields, current)
    return fields


def edit(fields: dict[str, Any], *, by: str, now: str) -> Edit:
    """Omitted fields keep their values, tags are replaced, the comment is appended in the application's name."""

    def apply(raw: Raw) -> None:
        raw |= {name: _stored(name, value) for name, value in fields.items() if name != "comment"}
        if "comment" in fields:
            remark = {"comment": fields["comment"], "createdBy": by, "createdTime": now}
            raw["comments"] = [*(raw.get("comments") or []), remark]

    return apply


def _stored(name: str, value: Any) -> Any:
    if name == "assignedTo":
        return value or None
    return SYNONYMS.get(value, value) if name == "determination" else value


def _check_pair(fields: dict[str, Any], current: Raw) -> None:
    """A determination must belong to the classification that is sent with it or stands already."""
    determination = SYNONYMS.get(fields.get("determination", ""), fields.get("determination"))
    if determination in (None, "NotAvailable"):
        return
    classification = fields.get("classification", current.get("classification"))
    if determination not in DETERMINATIONS.get(str(classification), ()):
        raise BadPatch(f"Determination '{determination}' does not go with classification '{classification}'")


def _one_of(known: tuple[str, ...]) -> Callable[[Any], None]:
    def check(value: Any) -> None:
        if not isinstance(value, str) or value not in known:
            raise BadPatch(f"'{str(value)[:60]}' is not one of {', '.join(known)}")

    return check


def _text_or_null(value: Any) -> None:
    if value is not None and not isinstance(value, str):
        raise BadPatch("assignedTo must be text")


def _texts(value: Any) -> None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadPatch("tags must be a list of texts")


def _comment(value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        raise BadPatch("comment must be a text that is not empty")


_SPELLINGS = tuple(dict.fromkeys([name for names in DETERMINATIONS.values() for name in names] + [*SYNONYMS]))
_CHECKS: dict[str, Callable[[Any], None]] = {
    "status": _one_of(STATUSES),
    "assignedTo": _text_or_null,
    "classification": _one_of(tuple(DETERMINATIONS)),
    "determination": _one_of((*_SPELLINGS, "NotAvailable")),
    "tags": _texts,
    "comment": _comment,
}
