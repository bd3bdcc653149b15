"""What an alert was raised on: users, addresses, files, devices, each as one row that can be searched by its value.

The documents show every entity with all its keys, mostly null; real answers leave null keys out, spell kinds
differently, and add kinds and keys. So the kind is compared without case, nulls are dropped, unknown keys are kept,
and an unknown kind is `other:` followed by the word as sent.
"""

from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

from defender import cleaning
from defender.cleaning import as_list, bounded_value, text_or_blank, text_or_none
from defender.times import MAX_TIME_TEXT, parse_time
from defender.vocabulary import slug

# Bounds on one alert's evidence, ours. A busy real alert has some hundreds.
MAX_EVIDENCE = 10_000
MAX_KEYS = 100
MAX_NESTED = 50

# The first of these keys that is present gives the value to search by.
_VALUE_KEYS: dict[str, tuple[str, ...]] = {
    "user": ("userPrincipalName", "accountName", "aadUserId", "userSid"),
    "ip": ("ipAddress",),
    "url": ("url",),
    "file": ("sha256", "sha1", "fileName", "filePath"),
    "process": ("processCommandLine", "fileName", "sha256", "sha1", "processId"),
    "mailbox": ("mailboxAddress", "userPrincipalName", "mailboxDisplayName"),
    "mailmessage": ("sender", "internetMessageId", "subject", "recipient", "userPrincipalName"),
    "mailcluster": ("clusterByValue", "clusterBy"),
    "registry": ("registryKey", "registryValue", "registryHive"),
    "securitygroup": ("securityGroupName", "securityGroupId"),
    "oauthapplication": ("applicationName", "applicationId"),
    "device": ("deviceDnsName", "mdatpDeviceId", "deviceId", "aadDeviceId"),
}
KINDS = frozenset(_VALUE_KEYS)
# What tells two pieces of one kind apart, beyond their values.
_FURTHER_KEYS: dict[str, tuple[str, ...]] = {
    "user": ("domainName",),
    "file": ("deviceId",),
    "process": ("processCreationTime", "parentProcessId", "parentProcessCreationTime", "deviceId"),
    "mailcluster": ("clusterBy",),
    "registry": ("registryValueType", "deviceId"),
}
# Where an unknown kind is likely to keep its value.
_LIKELY_VALUE_KEYS = (
    "name",
    "displayName",
    "value",
    *dict.fromkeys(key for keys in _VALUE_KEYS.values() for key in keys),
)
# Kinds whose values mean the same in either case, and are searched in lower case.
_CASELESS = frozenset({"user", "ip", "file", "mailbox", "mailmessage", "device", "securitygroup", "oauthapplication"})
# A device is the same device when its name, health or risk changes.
_DEVICE_IDS = ("mdatpDeviceId", "deviceId", "aadDeviceId", "deviceDnsName")
# What an investigation changes about a piece of evidence without making it another piece.
_CHANGING = {
    "verdict",
    "remediationStatus",
    "remediationStatusDetails",
    "detectionStatus",
    "deliveryAction",
    "evidenceCreationTime",
    "emailCount",
}


@dataclass(frozen=True, slots=True)
class WireEvidence:
    """One piece of evidence of one alert.

    `kind` is one of KINDS or `other:<as sent>`; `value` has at most 2,000 bytes, in lower case where case means
    nothing; `key` (16 bytes) is equal for repeats within the alert; `data` holds the fields as sent, without nulls.
    """

    kind: str
    value: str
    key: bytes
    data: dict[str, Any]
    verdict: str
    remediation_status: str
    first_seen_at: datetime | None


def read_evidence(alert: dict[str, Any]) -> tuple[tuple[WireEvidence, ...], bool]:
    """An alert's devices and entities, repeats merged (the last one wins), and whether some were left out."""
    merged: dict[bytes, WireEvidence] = {}
    devices, entities = as_list(alert.get("devices")), as_list(alert.get("entities"))
    for device in devices[:MAX_EVIDENCE]:
        _add(merged, "device", device)
    for entity in entities[:MAX_EVIDENCE]:
        _add(merged, None, entity)
    return tuple(merged.values()), max(len(devices), len(entities)) > MAX_EVIDENCE


def _add(merged: dict[bytes, WireEvidence], kind: str | None, sent: Any) -> None:
    fields = sent if isinstance(sent, dict) else {"value": sent}
    evidence = _read_one(kind or _kind(fields), _data(fields))
    merged[evidence.key] = evidence


def _read_one(kind: str, data: dict[str, Any]) -> WireEvidence:
    return WireEvidence(
        kind=kind,
        value=_value(kind, data),
        key=_key(kind, data),
        data=data,
        verdict=text_or_blank(data.get("verdict"), cleaning.MAX_WORD),
        remediation_status=text_or_blank(data.get("remediationStatus"), cleaning.MAX_WORD),
        first_seen_at=_first_seen(data),
    )


def _kind(fields: dict[str, Any]) -> str:
    sent = text_or_blank(fields.get("entityType"), cleaning.MAX_WORD)
    known = slug(sent)
    return known if known in KINDS else f"other:{sent}"


def _value(kind: str, data: dict[str, Any]) -> str:
    keys = _VALUE_KEYS.get(kind, _LIKELY_VALUE_KEYS)
    value = next((data[key] for key in keys if data.get(key)), None)
    if kind == "registry" and data.get("registryHive") and data.get("registryKey"):
        value = f"{data['registryHive']}\\{data['registryKey']}"
    text = bounded_value(text_or_blank(value, cleaning.MAX_VALUE_BYTES))
    return text.lower() if kind in _CASELESS else text


def _key(kind: str, data: dict[str, Any]) -> bytes:
    """A digest of what makes this piece itself. NUL parts the fields, since no cleaned text holds one."""
    parts = (f"{name}\0{data[name]!r}" for name in _identity(kind, data))
    return blake2b("\0".join((kind, *parts)).encode(), digest_size=16).digest()


def _identity(kind: str, data: dict[str, Any]) -> list[str]:
    """The names of the fields that tell this piece from others; of an unknown kind, all that do not change."""
    known = (*_VALUE_KEYS.get(kind, ()), *_FURTHER_KEYS.get(kind, ()))
    names = [name for name in (_DEVICE_IDS if kind == "device" else known) if data.get(name)]
    return names[:1] if kind == "device" and names else names or sorted(data.keys() - _CHANGING)


def _first_seen(data: dict[str, Any]) -> datetime | None:
    sent = data.get("evidenceCreationTime") or data.get("firstSeen")
    return parse_time(text_or_none(sent, MAX_TIME_TEXT))


def _data(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields as sent, without nulls, each bounded; lists and one level of objects inside are kept."""
    kept: dict[str, Any] = {}
    for name, value in fields.items():
        if isinstance(value, str):
            kept[name[: cleaning.MAX_WORD]] = value[: cleaning.MAX_DATA_TEXT]
        elif value is not None and value != []:
            kept[name[: cleaning.MAX_WORD]] = _nested(value, 3)
        if len(kept) == MAX_KEYS:
            break
    return kept


def _nested(value: Any, levels: int) -> Any:
    if isinstance(value, str):
        return value[: cleaning.MAX_DATA_TEXT]
    if isinstance(value, list) and levels:
        return [_nested(entry, levels - 1) for entry in value[:MAX_NESTED]]
    if isinstance(value, dict) and levels:
        entries = list(value.items())[:MAX_NESTED]
        return {name[: cleaning.MAX_WORD]: _nested(entry, levels - 1) for name, entry in entries}
    return text_or_none(value, cleaning.MAX_DATA_TEXT) if isinstance(value, (list, dict)) else value
