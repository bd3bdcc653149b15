"""Names and values of the incidents API. "Documented" stands on the page named; "recorded" was seen in real answers.

Microsoft Learn: "List incidents API in Microsoft Defender XDR", "Incident resource", "Update incidents API".
"""

from typing import Any

Json = dict[str, Any]

# Microsoft Learn: List incidents API.
INCIDENT = {
    "incidentId",
    "redirectIncidentId",
    "incidentName",
    "createdTime",
    "lastUpdateTime",
    "assignedTo",
    "classification",
    "determination",
    "status",
    "severity",
    "tags",
    "comments",
    "alerts",
}
INCIDENT_RECORDED = {"incidentUri"}
COMMENT = {"comment", "createdBy", "createdTime"}
ALERT = {
    "alertId",
    "incidentId",
    "serviceSource",
    "creationTime",
    "lastUpdatedTime",
    "resolvedTime",
    "firstActivity",
    "lastActivity",
    "title",
    "description",
    "category",
    "status",
    "severity",
    "investigationId",
    "investigationState",
    "classification",
    "determination",
    "detectionSource",
    "assignedTo",
    "actorName",
    "threatFamilyName",
    "mitreTechniques",
    "devices",
    "entities",
}
ALERT_RECORDED = {"providerAlertId", "detectorId"}
DEVICE = {
    "mdatpDeviceId",
    "aadDeviceId",
    "deviceDnsName",
    "osPlatform",
    "version",
    "osProcessor",
    "osBuild",
    "healthStatus",
    "riskScore",
    "rbacGroupName",
    "rbacGroupId",
    "firstSeen",
}
DEVICE_RECORDED = {"tags", "defenderAvStatus", "onboardingStatus", "vmMetadata", "loggedOnUsers"}
ENTITY = {
    *("entityType", "sha1", "sha256", "fileName", "filePath", "processId", "processCommandLine"),
    *("processCreationTime", "parentProcessId", "parentProcessCreationTime", "ipAddress", "url", "accountName"),
    *("domainName", "userSid", "aadUserId", "userPrincipalName", "mailboxDisplayName", "mailboxAddress"),
    *("clusterBy", "sender", "recipient", "subject", "deliveryAction", "securityGroupId", "securityGroupName"),
    *("registryHive", "registryKey", "registryValueType", "registryValue", "deviceId"),
}
ENTITY_RECORDED = {
    *("evidenceCreationTime", "verdict", "remediationStatus", "remediationStatusDetails", "detectionStatus"),
    *("parentProcessFileName", "parentProcessFilePath", "internetMessageId", "clusterByValue", "emailCount"),
    *("applicationId", "applicationName"),
}
# Keys that no page and no recording has: a reader must keep what it does not know, so the sandbox sends a little of it.
UNKNOWN_ON_PURPOSE = {"incident": {"priorityScore"}, "entity": {"gadgetId"}}

SEVERITIES = {"UnSpecified", "Informational", "Low", "Medium", "High"}
STATUSES = {"Active", "InProgress", "Resolved", "Redirected"}
ALERT_STATUSES = {"New", "InProgress", "Active", "Resolved"}
CLASSIFICATIONS = {
    "Unknown",
    "TruePositive",
    "FalsePositive",
    "InformationalExpectedActivity",
    "Informational, expected activity",
}
DETERMINATIONS = {
    *("NotAvailable", "MultiStagedAttack", "MaliciousUserActivity", "CompromisedUser", "Malware", "Phishing"),
    *("UnwantedSoftware", "Other", "SecurityTesting", "LineOfBusinessApplication", "ConfirmedUserActivity"),
    *("Clean", "InsufficientData", "Apt", "SecurityPersonnel"),
}
INVESTIGATION_STATES = {
    *("Unknown", "Terminated", "SuccessfullyRemediated", "Benign", "Failed", "PartiallyRemediated", "Running"),
    *("PendingApproval", "PendingResource", "PartiallyInvestigated", "TerminatedByUser", "TerminatedBySystem"),
    *("Queued", "InnerFailure", "PreexistingAlert", "UnsupportedOs", "UnsupportedAlertType", "SuppressedAlert"),
}
# Microsoft Learn and recorded: both spellings occur.
SERVICES = {
    *("MicrosoftDefenderATP", "MicrosoftDefenderForEndpoint", "OfficeATP", "MicrosoftDefenderForOffice365"),
    *("MicrosoftCloudAppSecurity", "AADIdentityProtection", "MicrosoftApplicationProtection"),
}
DETECTIONS = {
    *("MCAS", "WindowsDefenderAv", "WindowsDefenderAtp", "OfficeATP", "AAD", "AppGPolicy"),
    *("AutomatedInvestigation", "CustomerTI"),
}
ENTITY_TYPES = {
    *("User", "Ip", "Url", "File", "Process", "MailBox", "Mailbox", "MailMessage", "MailCluster", "Registry"),
    *("SecurityGroup", "OAuthApplication"),
}
ALERT_PREFIXES = {"ca", "da", "fa", "ad", "ma", "ar"}
# Values outside every list, as real tenants have sent some of their own: the reader keeps them and shows them.
ODD = {
    "severity": {"Critical"},
    "status": {"New", "AwaitingAction"},
    "investigationState": {"PendingWeather"},
    "entityType": {"Gadget"},
}


def alerts_of(incidents: list[Json]) -> list[Json]:
    """Every alert of the incidents."""
    return [alert for incident in incidents for alert in incident["alerts"]]


def devices_of(incidents: list[Json]) -> list[Json]:
    """Every device of every alert."""
    return [device for alert in alerts_of(incidents) for device in alert["devices"]]


def entities_of(incidents: list[Json]) -> list[Json]:
    """Every entity of every alert; a few alerts say null instead of a list."""
    return [entity for alert in alerts_of(incidents) for entity in alert["entities"] or []]


def values(items: list[Json], name: str) -> set[Any]:
    """The different values under one key."""
    return {item.get(name) for item in items}
