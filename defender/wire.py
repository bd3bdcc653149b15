"""What the Defender XDR incidents API sends, read tolerantly.

The contract of this boundary: whatever an incident holds, it is read if its number can be read. Wrong types become
text or nothing, unknown words stay as sent, lists may be null, missing, single or full of nulls, and text is made
storable and bounded for its column. `Unreadable` is left for what is no incident or is over a bound; `cleaned` says
that a character had to be replaced, `truncated` that alerts or evidence were too many. The raw bytes keep everything.

Texts that were not sent are empty; only people and references that were not sent are None.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from itertools import chain
from typing import Any

import msgspec

from defender import cleaning
from defender.cleaning import as_identity, as_list, as_texts, searchable, text_or_blank, text_or_none
from defender.decoding import Unreadable, decode, guess_incident_id
from defender.evidence import WireEvidence, read_evidence
from defender.splitting import SplitPage, UnreadablePage, split_page
from defender.times import MAX_TIME_TEXT, later, parse_time
from defender.vocabulary import is_open, severity_rank, status_code

__all__ = [
    "PARSER_VERSION",
    "SplitPage",
    "Unreadable",
    "UnreadablePage",
    "WireAlert",
    "WireComment",
    "WireEvidence",
    "WireIncident",
    "content_hash",
    "guess_incident_id",
    "later",
    "parse_time",
    "read_incident",
    "split_page",
]

# Raised whenever the same bytes would be read differently, so that stored and quarantined incidents are read again.
PARSER_VERSION = 1

# Bounds on the lists of one incident, ours. The largest incident seen elsewhere had 150 alerts.
MAX_ALERTS = 10_000
MAX_TAGS = 500
MAX_COMMENTS = 2_000
MAX_TECHNIQUES = 500

# The hosts of Microsoft's portals, in every cloud. A link to anywhere else is not shown as a link.
_PORTAL_LINK = re.compile(
    r"https://(?:[a-z0-9-]+\.)*(?:security\.microsoft\.com|security\.microsoft\.us|security\.apps\.mil)(?::443)?"
    r"(?:[/?#][A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*)?",
    re.ASCII | re.IGNORECASE,
)
_SEARCHED_FIELDS = (
    "userPrincipalName",
    "accountName",
    "deviceDnsName",
    "ipAddress",
    "sha256",
    "sha1",
    "url",
    "fileName",
    "mailboxAddress",
    "sender",
    "recipient",
    "subject",
)


@dataclass(frozen=True, slots=True)
class WireComment:
    """One comment; `created_text` is its time with every digit sent, which tells comments apart."""

    text: str
    created_by: str
    created_at: datetime | None
    created_text: str


@dataclass(frozen=True, slots=True)
class WireAlert:
    """One alert. Words are as sent; `hash` (16 bytes) changes when anything in the alert does."""

    alert_id: str
    title: str
    description: str
    category: str
    status: str
    severity: str
    severity_rank: int
    service_source: str
    detection_source: str
    created_at: datetime | None
    updated_at: datetime | None
    resolved_at: datetime | None
    first_activity_at: datetime | None
    last_activity_at: datetime | None
    assigned_to: str | None
    classification: str
    determination: str
    investigation_state: str
    threat_family: str
    actor: str
    techniques: tuple[str, ...]
    evidence: tuple[WireEvidence, ...]
    hash: bytes


@dataclass(frozen=True, slots=True)
class WireIncident:
    """One incident as read. Words are as sent; codes and ranks are those of `defender.vocabulary`.

    Times are aware UTC, cut to microseconds; `updated_text` has every digit sent. `search_text` is what `searchable`
    makes of the name, number, tags, titles, and values of the evidence.
    """

    incident_id: int
    redirect_incident_id: int | None
    name: str
    created_at: datetime | None
    updated_at: datetime | None
    updated_text: str
    assigned_to: str | None
    classification: str
    determination: str
    status: str
    status_code: int
    severity: str
    severity_rank: int
    is_open: bool
    tags: tuple[str, ...]
    techniques: tuple[str, ...]
    comments: tuple[WireComment, ...]
    alerts: tuple[WireAlert, ...]
    web_link: str | None
    host: str
    account: str
    search_text: str
    cleaned: bool
    truncated: bool


def content_hash(raw: bytes) -> bytes:
    """A digest (16 bytes) of an entry exactly as sent: equal bytes need no second look."""
    return blake2b(raw, digest_size=16).digest()


def read_incident(raw: bytes) -> WireIncident:
    """One entry of a page as an incident. Raises Unreadable, and only for what no tolerance can help."""
    try:
        sent, cleaned = decode(raw)
    except Unreadable as error:
        error.incident_id = guess_incident_id(raw)
        raise
    incident_id = as_identity(sent.get("incidentId"))
    if incident_id is None:
        raise Unreadable("no_incident_id", "The entry has no usable incident number.")
    return _incident(sent, incident_id=incident_id, cleaned=cleaned)


def _incident(sent: dict[str, Any], *, incident_id: int, cleaned: bool) -> WireIncident:
    alerts, truncated = _alerts(sent)
    name = text_or_blank(sent.get("incidentName"), cleaning.MAX_NAME)
    status, severity = _word(sent, "status"), _word(sent, "severity")
    tags = tuple(as_texts(sent.get("tags"), cleaning.MAX_TAG)[:MAX_TAGS])
    code = status_code(status)
    return WireIncident(
        incident_id=incident_id,
        redirect_incident_id=as_identity(sent.get("redirectIncidentId")),
        name=name,
        created_at=_time(sent, "createdTime"),
        updated_at=_time(sent, "lastUpdateTime"),
        updated_text=text_or_blank(sent.get("lastUpdateTime"), MAX_TIME_TEXT),
        assigned_to=text_or_none(sent.get("assignedTo"), cleaning.MAX_PERSON),
        classification=_word(sent, "classification"),
        determination=_word(sent, "determination"),
        status=status,
        status_code=code,
        severity=severity,
        severity_rank=severity_rank(severity),
        is_open=is_open(code),
        tags=tags,
        techniques=_distinct(alerts),
        comments=_comments(sent),
        alerts=alerts,
        web_link=_portal_link(sent.get("incidentUri")),
        host=_first(alerts, "deviceDnsName"),
        account=_first(alerts, "userPrincipalName") or _first(alerts, "accountName"),
        search_text=_search_text(incident_id, name, tags, alerts),
        cleaned=cleaned,
        truncated=truncated,
    )


def _alerts(sent: dict[str, Any]) -> tuple[tuple[WireAlert, ...], bool]:
    """The incident's alerts by their ids (the last of two wins), and whether something was left out."""
    entries = [entry for entry in as_list(sent.get("alerts")) if isinstance(entry, dict)]
    alerts: dict[str, WireAlert] = {}
    truncated = len(entries) > MAX_ALERTS
    for entry in entries[:MAX_ALERTS]:
        evidence, shortened = read_evidence(entry)
        alert = _alert(entry, evidence)
        alerts[alert.alert_id] = alert
        truncated = truncated or shortened
    return tuple(alerts.values()), truncated


def _alert(sent: dict[str, Any], evidence: tuple[WireEvidence, ...]) -> WireAlert:
    severity = _word(sent, "severity")
    return WireAlert(
        alert_id=_alert_id(sent),
        title=text_or_blank(sent.get("title"), cleaning.MAX_TITLE),
        description=text_or_blank(sent.get("description"), cleaning.MAX_DESCRIPTION),
        category=_word(sent, "category"),
        status=_word(sent, "status"),
        severity=severity,
        severity_rank=severity_rank(severity),
        service_source=_word(sent, "serviceSource"),
        detection_source=_word(sent, "detectionSource"),
        created_at=_time(sent, "creationTime"),
        updated_at=_time(sent, "lastUpdatedTime", "lastUpdateTime"),
        resolved_at=_time(sent, "resolvedTime"),
        first_activity_at=_time(sent, "firstActivity"),
        last_activity_at=_time(sent, "lastActivity"),
        assigned_to=text_or_none(sent.get("assignedTo"), cleaning.MAX_PERSON),
        classification=_word(sent, "classification"),
        determination=_word(sent, "determination"),
        investigation_state=_word(sent, "investigationState"),
        threat_family=_word(sent, "threatFamilyName"),
        actor=_word(sent, "actorName"),
        techniques=tuple(as_texts(sent.get("mitreTechniques"), cleaning.MAX_WORD)[:MAX_TECHNIQUES]),
        evidence=evidence,
        hash=content_hash(msgspec.json.encode(sent, order="sorted")),
    )


def _alert_id(sent: dict[str, Any]) -> str:
    """The alert's own id. One that was not sent is made from what does not change in the alert's life."""
    own = text_or_blank(sent.get("alertId"), cleaning.MAX_DATA_TEXT)
    if own:
        return cleaning.bounded_id(own, cleaning.MAX_ALERT_ID)
    lasting = [sent.get(key) for key in ("providerAlertId", "creationTime", "title", "serviceSource")]
    return f"unnamed-{content_hash(msgspec.json.encode(lasting)).hex()}"


def _comments(sent: dict[str, Any]) -> tuple[WireComment, ...]:
    entries = as_list(sent.get("comments"))[:MAX_COMMENTS]
    return tuple(_comment(entry if isinstance(entry, dict) else {"comment": entry}) for entry in entries)


def _comment(sent: dict[str, Any]) -> WireComment:
    created = sent.get("createdTime") or sent.get("createTime")
    created_text = text_or_blank(created, MAX_TIME_TEXT)
    return WireComment(
        text=text_or_blank(sent.get("comment"), cleaning.MAX_COMMENT),
        created_by=text_or_blank(sent.get("createdBy"), cleaning.MAX_PERSON),
        created_at=parse_time(created_text),
        created_text=created_text,
    )


def _word(sent: dict[str, Any], key: str) -> str:
    return text_or_blank(sent.get(key), cleaning.MAX_WORD)


def _time(sent: dict[str, Any], *keys: str) -> datetime | None:
    found = next((sent[key] for key in keys if sent.get(key)), None)
    return parse_time(text_or_none(found, MAX_TIME_TEXT + 1))


def _distinct(alerts: tuple[WireAlert, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain.from_iterable(alert.techniques for alert in alerts)))[:MAX_TECHNIQUES]


def _portal_link(value: Any) -> str | None:
    """The link, if a browser would follow it to Microsoft's portal and nowhere else."""
    if not isinstance(value, str) or len(value) > cleaning.MAX_LINK:
        return None
    return value if _PORTAL_LINK.fullmatch(value) else None


def _first(alerts: tuple[WireAlert, ...], field: str) -> str:
    """The first value of a field in any alert's evidence: it names the incident's host or account in the queue."""
    found = (evidence.data[field] for alert in alerts for evidence in alert.evidence if evidence.data.get(field))
    return text_or_blank(next(found, None), cleaning.MAX_HOST)


def _search_text(incident_id: int, name: str, tags: tuple[str, ...], alerts: tuple[WireAlert, ...]) -> str:
    """Distinct words in the order of their worth, until the column is full."""
    words: dict[str, None] = {}
    room = cleaning.MAX_SEARCH_TEXT
    for text in chain((name, str(incident_id)), tags, _searched(alerts)):
        word = searchable(text)
        if not word or word in words:
            continue
        room -= len(word) + 1
        if room < 0:
            break
        words[word] = None
    return " ".join(words)


def _searched(alerts: tuple[WireAlert, ...]) -> Iterator[str]:
    yield from (alert.title for alert in alerts)
    for alert in alerts:
        for evidence in alert.evidence:
            data = evidence.data
            yield from (
                value[: cleaning.MAX_NAME] for field in _SEARCHED_FIELDS if isinstance(value := data.get(field), str)
            )
