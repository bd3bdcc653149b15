"""The words of the incidents API as data: for people, for sorting, and for writing back.

No word is ever refused: the documents' lists have been wrong before, and services add words without notice. What is
not in these tables is kept as sent, shown as "unknown (value)", and sorted so that nobody overlooks it.
"""

from typing import Final, Literal

Api = Literal["xdr-read", "xdr-write", "graph"]

STATUS_ACTIVE: Final = 1
STATUS_IN_PROGRESS: Final = 2
STATUS_RESOLVED: Final = 3
STATUS_REDIRECTED: Final = 4
STATUS_OTHER: Final = 9
SEVERITY_UNKNOWN: Final = 5

STATUSES: Final = {
    "Active": "Active",
    "InProgress": "In progress",
    "Resolved": "Resolved",
    "Redirected": "Merged into another incident",
}
SEVERITIES: Final = {
    "Informational": "Informational",
    "Low": "Low",
    "Medium": "Medium",
    "High": "High",
    "UnSpecified": "Not specified",
}
CLASSIFICATIONS: Final = {
    "Unknown": "Not set",
    "TruePositive": "True positive",
    "InformationalExpectedActivity": "Informational, expected activity",
    "FalsePositive": "False positive",
}
DETERMINATIONS: Final = {
    "NotAvailable": "Not set",
    "MultiStagedAttack": "Multistage attack",
    "MaliciousUserActivity": "Malicious user activity",
    "CompromisedUser": "Compromised account",
    "Malware": "Malware",
    "Phishing": "Phishing",
    "UnwantedSoftware": "Unwanted software",
    "SecurityTesting": "Security test",
    "LineOfBusinessApplication": "Line-of-business application",
    "ConfirmedUserActivity": "Confirmed activity",
    "Clean": "Not malicious",
    "InsufficientData": "Not enough data to validate",
    "Other": "Other",
    "Apt": "Advanced persistent threat (no longer used)",
    "SecurityPersonnel": "Security personnel (no longer used)",
}
# Which determination may go with which classification. The service refuses other pairs.
DETERMINATIONS_OF: Final = {
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
INVESTIGATION_STATES: Final = {
    "Unknown": "Unknown",
    "Terminated": "Terminated",
    "SuccessfullyRemediated": "Remediated",
    "Benign": "No threats found",
    "Failed": "Failed",
    "PartiallyRemediated": "Partially remediated",
    "Running": "Running",
    "PendingApproval": "Waiting for approval",
    "PendingResource": "Waiting for the device",
    "PartiallyInvestigated": "Partially investigated",
    "TerminatedByUser": "Stopped by a person",
    "TerminatedBySystem": "Stopped by the system",
    "Queued": "Queued",
    "InnerFailure": "Failed inside",
    "PreexistingAlert": "Handled by an earlier investigation",
    "UnsupportedOs": "Operating system not supported",
    "UnsupportedAlertType": "Alert type not supported",
    "SuppressedAlert": "Alert suppressed",
}
# One product goes by several names, depending on the year and the API.
SERVICES: Final = {
    "MicrosoftDefenderForEndpoint": "Defender for Endpoint",
    "MicrosoftDefenderATP": "Defender for Endpoint",
    "MicrosoftDefenderForOffice365": "Defender for Office 365",
    "OfficeATP": "Defender for Office 365",
    "MicrosoftCloudAppSecurity": "Defender for Cloud Apps",
    "MicrosoftDefenderForCloudApps": "Defender for Cloud Apps",
    "MicrosoftDefenderForIdentity": "Defender for Identity",
    "MicrosoftDefenderForCloud": "Defender for Cloud",
    "Microsoft365Defender": "Defender XDR",
    "AADIdentityProtection": "Entra ID Protection",
    "AzureAdIdentityProtection": "Entra ID Protection",
    "MicrosoftApplicationProtection": "App governance",
    "MicrosoftAppGovernance": "App governance",
    "MicrosoftSentinel": "Sentinel",
    "DataLossPrevention": "Data loss prevention",
    "MicrosoftInsiderRiskManagement": "Insider risk management",
}
# The spelling each API wants where it differs from ours, which is the one that the XDR API's answers use.
SPELLINGS: Final[dict[str, dict[Api, str]]] = {
    "CompromisedUser": {"xdr-write": "CompromisedAccount", "graph": "compromisedAccount"},
    "ConfirmedUserActivity": {"xdr-write": "ConfirmedActivity", "graph": "confirmedActivity"},
    "InsufficientData": {"xdr-write": "NoEnoughDataToValidate", "graph": "notEnoughDataToValidate"},
    "Clean": {"graph": "notMalicious"},
    "NotAvailable": {"graph": "unknown"},
    "UnSpecified": {"graph": "unknown"},
}
# Every other spelling that has been seen in answers, without case and punctuation.
SYNONYMS: Final = {
    "compromisedaccount": "CompromisedUser",
    "confirmedactivity": "ConfirmedUserActivity",
    "noenoughdatatovalidate": "InsufficientData",
    "notenoughdatatovalidate": "InsufficientData",
    "notmalicious": "Clean",
    "multistagedattack": "MultiStagedAttack",
}

_STATUS_CODES: Final = {
    "active": STATUS_ACTIVE,
    "inprogress": STATUS_IN_PROGRESS,
    "resolved": STATUS_RESOLVED,
    "redirected": STATUS_REDIRECTED,
}
_SEVERITY_RANKS: Final = {"informational": 1, "low": 2, "medium": 3, "high": 4}
_CLOSED: Final = frozenset({STATUS_RESOLVED, STATUS_REDIRECTED})


def slug(word: str) -> str:
    """A word without case, blanks and punctuation, so that `MailBox`, `Mailbox` and `mail box` are one."""
    return "".join(filter(str.isalnum, word)).lower()


def status_code(status: str) -> int:
    """1 active, 2 in progress, 3 resolved, 4 redirected, 9 any other word or none."""
    return _STATUS_CODES.get(slug(status), STATUS_OTHER)


def is_open(code: int) -> bool:
    """Whether an incident with this status code still wants attention; an unknown status does."""
    return code not in _CLOSED


def severity_rank(severity: str) -> int:
    """1 informational to 4 high; 5 for unspecified, unknown or none, so that these sort above high."""
    return _SEVERITY_RANKS.get(slug(severity), SEVERITY_UNKNOWN)


def known_word(word: str, words: dict[str, str]) -> str | None:
    """Our spelling of a word from one of the tables above, whichever API spelled it; None for an unknown word."""
    wanted = slug(word)
    wanted = slug(SYNONYMS.get(wanted, wanted))
    return next((known for known, label in words.items() if wanted in (slug(known), slug(label))), None)


def label(word: str, words: dict[str, str]) -> str:
    """The word for people; an unknown one is shown as it was sent."""
    if not word:
        return "Not set"
    known = known_word(word, words)
    return words[known] if known else f"unknown ({word})"


def is_valid_pair(classification: str, determination: str) -> bool:
    """Whether the service accepts this determination together with this classification, in any spelling."""
    known = known_word(classification, CLASSIFICATIONS)
    return known_word(determination, DETERMINATIONS) in DETERMINATIONS_OF.get(known or "", ())


def spelling(word: str, api: Api) -> str:
    """Our word as one API wants it: Graph begins with a small letter, and some words differ altogether."""
    special = SPELLINGS.get(word, {}).get(api)
    if special:
        return special
    return word[:1].lower() + word[1:] if api == "graph" else word
