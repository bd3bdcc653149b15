"""Incidents in the two shapes that occur: as the documents show them, every key present and mostly null, and as real
answers look, null keys left out and keys that no document names."""

import json
from typing import Any

Json = dict[str, Any]

ENTITY_KEYS = (
    "sha1",
    "sha256",
    "fileName",
    "filePath",
    "processId",
    "processCommandLine",
    "processCreationTime",
    "parentProcessId",
    "parentProcessCreationTime",
    "ipAddress",
    "url",
    "accountName",
    "domainName",
    "userSid",
    "aadUserId",
    "userPrincipalName",
    "mailboxDisplayName",
    "mailboxAddress",
    "clusterBy",
    "sender",
    "recipient",
    "subject",
    "deliveryAction",
    "securityGroupId",
    "securityGroupName",
    "registryHive",
    "registryKey",
    "registryValueType",
    "registryValue",
    "deviceId",
)


def documented_entity(kind: str, **fields: Any) -> Json:
    return {"entityType": kind, **dict.fromkeys(ENTITY_KEYS), **fields}


def documented_alert(number: int = 1, **fields: Any) -> Json:
    return {
        "alertId": f"da{number}_1",
        "incidentId": 4711,
        "serviceSource": "MicrosoftDefenderATP",
        "creationTime": "2026-03-01T08:00:00.1234567Z",
        "lastUpdatedTime": "2026-03-01T09:00:00.5Z",
        "resolvedTime": None,
        "firstActivity": "2026-03-01T07:00:00Z",
        "lastActivity": "2026-03-01T07:30:00Z",
        "title": "Suspicious sign-in helper",
        "description": "A program read saved passwords.\n\nLook at the device.",
        "category": "CredentialAccess",
        "status": "New",
        "severity": "High",
        "investigationId": None,
        "investigationState": "Queued",
        "classification": None,
        "determination": None,
        "detectionSource": "WindowsDefenderAtp",
        "assignedTo": None,
        "actorName": None,
        "threatFamilyName": "Passgrab",
        "mitreTechniques": ["T1003", "T1003.001"],
        "devices": [documented_device()],
        "entities": [
            documented_entity("User", accountName="alice", userPrincipalName="Alice@contoso.com"),
            documented_entity("Ip", ipAddress="192.0.2.7"),
            documented_entity("File", fileName="Grab.exe", sha1="A" * 40, deviceId="d1"),
            documented_entity("MailBox", mailboxAddress="alice@contoso.com"),
        ],
        **fields,
    }


def documented_device(**fields: Any) -> Json:
    return {
        "mdatpDeviceId": "d1",
        "aadDeviceId": None,
        "deviceDnsName": "PC-7.contoso.com",
        "osPlatform": "Windows11",
        "version": "23H2",
        "osProcessor": "x64",
        "osBuild": 22631,
        "healthStatus": "Active",
        "riskScore": "High",
        "rbacGroupName": "Office",
        "rbacGroupId": 9,
        "firstSeen": "2025-02-06T14:16:01.9330135Z",
        **fields,
    }


def documented_incident(number: int = 4711, **fields: Any) -> Json:
    return {
        "incidentId": number,
        "redirectIncidentId": None,
        "incidentName": "Saved passwords read on one endpoint",
        "createdTime": "2026-03-01T08:00:00.0733333Z",
        "lastUpdateTime": "2026-03-01T09:00:01.9999999Z",
        "assignedTo": None,
        "classification": "Unknown",
        "determination": "NotAvailable",
        "status": "Active",
        "severity": "Medium",
        "tags": [],
        "comments": [
            {"comment": "Called them", "createdBy": "bob@northwind.com", "createdTime": "2026-03-01T08:30:00.8404534Z"}
        ],
        "alerts": [documented_alert()],
        **fields,
    }


def recorded_incident(number: int = 815, **fields: Any) -> Json:
    return {
        "incidentId": number,
        "incidentUri": f"https://security.microsoft.com/incidents/{number}?tid=6c12a1f4-0000-4000-8000-000000000001",
        "incidentName": "Unfamiliar sign-in",
        "createdTime": "2026-03-02T08:00:00.07Z",
        "lastUpdateTime": "2026-03-02T09:00:00.3Z",
        "classification": "Informational, expected activity",
        "determination": "ConfirmedActivity",
        "status": "InProgress",
        "severity": "UnSpecified",
        "tags": ["vip"],
        "alerts": [recorded_alert()],
        **fields,
    }


def recorded_alert(**fields: Any) -> Json:
    return {
        "alertId": "ad815",
        "providerAlertId": "815",
        "serviceSource": "MicrosoftApplicationProtection",
        "creationTime": "2026-03-02T08:00:00Z",
        "lastUpdatedTime": "2026-03-02T08:00:00Z",
        "title": "Unfamiliar sign-in",
        "category": "None",
        "detectorId": "UnfamiliarLocation",
        "devices": [{"mdatpDeviceId": "d2", "tags": ["kiosk"], "loggedOnUsers": [{"accountName": "alice"}]}],
        "entities": [
            {"entityType": "OAuthApplication", "applicationId": "a1", "applicationName": "Fabrikam Sync"},
            {
                "entityType": "Mailbox",
                "mailboxAddress": "Info@fabrikam.com",
                "verdict": "Suspicious",
                "remediationStatus": "Active",
                "evidenceCreationTime": "2026-03-02T08:00:00.25Z",
            },
        ],
        **fields,
    }


def as_sent(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def page(*entries: bytes, link: str | None = None) -> bytes:
    """A page around entries that may be any bytes at all."""
    end = b"" if link is None else b',"@odata.nextLink":' + json.dumps(link).encode()
    return b'{"@odata.context":"https://api.security.microsoft.com/","value":[' + b",".join(entries) + b"]" + end + b"}"
