"""The APIs a token can be for: their identifiers and the application permissions each of them knows."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Resource:
    """One API as Entra knows it. `identifiers` are the spellings a client may ask for; the first is the usual one."""

    key: str
    title: str
    app_id: str
    identifiers: tuple[str, ...]
    roles: dict[str, str]


XDR = Resource(
    key="xdr",
    title="Microsoft Threat Protection",
    app_id="8ee8fdad-f234-4243-8f3b-15c294843740",
    identifiers=("https://api.security.microsoft.com", "8ee8fdad-f234-4243-8f3b-15c294843740"),
    roles={
        "Incident.Read.All": "Read all incidents",
        "Incident.ReadWrite.All": "Read and write all incidents",
        "AdvancedHunting.Read.All": "Run advanced queries",
        "CustomDetections.ReadWrite.All": "Read and write custom detections",
    },
)

MDE = Resource(
    key="mde",
    title="WindowsDefenderATP",
    app_id="fc780465-2017-40d4-a0c5-307022471b92",
    identifiers=(
        "https://api.securitycenter.microsoft.com",
        "https://securitycenter.onmicrosoft.com/windowsatpservice",
        "fc780465-2017-40d4-a0c5-307022471b92",
    ),
    roles={
        "Machine.Read.All": "Read all machine profiles",
        "Machine.ReadWrite.All": "Read and write all machine information",
        "Machine.Isolate": "Isolate machine",
        "Machine.Scan": "Scan machine",
        "Machine.RestrictExecution": "Restrict code execution",
        "Machine.CollectForensics": "Collect forensics",
        "Alert.Read.All": "Read all alerts",
    },
)

GRAPH = Resource(
    key="graph",
    title="Microsoft Graph",
    app_id="00000003-0000-0000-c000-000000000000",
    identifiers=("https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"),
    roles={
        "SecurityIncident.Read.All": "Read all security incidents",
        "SecurityIncident.ReadWrite.All": "Read and write to all security incidents",
        "SecurityAlert.Read.All": "Read all security alerts",
        "ThreatHunting.Read.All": "Run hunting queries",
    },
)

RESOURCES = (XDR, MDE, GRAPH)


def resource_named(identifier: str) -> Resource | None:
    """The API behind an identifier URI or app id; a trailing slash makes no difference, as with Entra."""
    wanted = identifier.rstrip("/").lower()
    return next((resource for resource in RESOURCES if wanted in resource.identifiers), None)


def resource_of_role(role: str) -> Resource | None:
    """The API that knows the application permission `role`."""
    return next((resource for resource in RESOURCES if role in resource.roles), None)
