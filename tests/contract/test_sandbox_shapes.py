"""Devices, entities, machines and Graph's incidents, written down from Microsoft's pages and from recorded answers.

Sources: Microsoft Learn, "List incidents API in Microsoft Defender XDR" (2026-08-07), "List machines API" (2026-06-28),
Graph "List incidents" (2026-03-19). What recordings add is marked as such.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.server import running
from sandbox.world import World
from tests.sandbox.visits.visitor import GRAPH, MDE, Visitor

# The first ten are documented, the others recorded.
DEVICE = {
    *("mdatpDeviceId", "aadDeviceId", "deviceDnsName", "osPlatform", "version", "osProcessor", "osBuild"),
    *("healthStatus", "riskScore", "firstSeen"),
    *("rbacGroupName", "tags", "defenderAvStatus", "onboardingStatus", "vmMetadata", "loggedOnUsers"),
}
# What an entity of a type says about itself. MailBox is the documented spelling, Mailbox the recorded one.
ENTITY = {
    "User": {"accountName", "domainName", "userSid", "aadUserId", "userPrincipalName"},
    "Ip": {"ipAddress"},
    "Url": {"url"},
    "File": {"fileName", "filePath", "sha1", "sha256"},
    "Process": {"processId", "processCommandLine", "processCreationTime"},
    "MailBox": {"userPrincipalName", "mailboxDisplayName", "mailboxAddress"},
    "Mailbox": {"userPrincipalName", "mailboxDisplayName", "mailboxAddress"},
    "MailMessage": {"userPrincipalName", "sender", "recipient", "subject", "deliveryAction"},
    "MailCluster": {"clusterBy"},
    "Registry": {"registryHive", "registryKey", "registryValueType", "registryValue"},
    "SecurityGroup": {"securityGroupId", "securityGroupName"},
    "OAuthApplication": {"applicationId", "applicationName"},
}
MACHINE = {
    *("id", "computerDnsName", "firstSeen", "lastSeen", "osPlatform", "version", "osProcessor", "lastIpAddress"),
    *("lastExternalIpAddress", "osBuild", "healthStatus", "rbacGroupId", "rbacGroupName", "riskScore"),
    *("exposureLevel", "isAadJoined", "aadDeviceId", "machineTags"),
}
GRAPH_INCIDENT = {
    *("id", "tenantId", "status", "incidentWebUrl", "redirectIncidentId", "displayName", "createdDateTime"),
    *("lastUpdateDateTime", "assignedTo", "classification", "determination", "severity", "customTags", "comments"),
}


@pytest.fixture(scope="module")
def visitor() -> Iterator[Visitor]:
    """Litware: 300 incidents of every kind; nothing is changed here, so one world serves all."""
    world = World(seed=7, tenants=["Litware"], pace=0, quotas=False)
    world.approve(world.tenant("litware"), roles=["Incident.Read.All", "Machine.Read.All", "SecurityIncident.Read.All"])
    with running(world) as sandbox:
        guest = Visitor(sandbox)
        yield guest
        guest.http.close()


@pytest.fixture(scope="module")
def incidents(visitor: Visitor) -> list[dict[str, Any]]:
    return visitor.everything("litware")


@pytest.fixture(scope="module")
def alerts(incidents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [alert for incident in incidents for alert in incident["alerts"]]


def test_every_device_has_the_documented_and_the_recorded_fields(alerts: list[dict[str, Any]]) -> None:
    devices = [device for alert in alerts for device in alert["devices"]]
    assert devices
    for device in devices:
        assert set(device) >= DEVICE
        assert re.fullmatch(r"[0-9a-f]{40}", device["mdatpDeviceId"])


def test_every_known_entity_says_what_its_type_promises(alerts: list[dict[str, Any]]) -> None:
    entities = [entity for alert in alerts for entity in alert["entities"] or []]
    assert {entity["entityType"] for entity in entities} >= set(ENTITY) - {"SecurityGroup"}
    for entity in entities:
        assert set(entity) >= ENTITY.get(entity["entityType"], set())


def test_a_file_is_named_by_hashes_of_the_right_length(alerts: list[dict[str, Any]]) -> None:
    files = [one for alert in alerts for one in alert["entities"] or [] if one["entityType"] == "File"]
    assert {(len(one["sha1"]), len(one["sha256"])) for one in files} == {(40, 64)}


def test_machines_have_the_documented_fields_and_the_devices_of_incidents(
    visitor: Visitor, alerts: list[dict[str, Any]]
) -> None:
    found = visitor.api("/api/machines", "litware", resource=MDE).json()["value"]
    assert found and all(set(machine) >= MACHINE for machine in found)
    devices = {device["mdatpDeviceId"] for alert in alerts for device in alert["devices"]}
    assert devices <= {machine["id"] for machine in found}
    one = visitor.api(f"/api/machines/{found[0]['id']}", "litware", resource=MDE).json()
    assert one["computerDnsName"] == found[0]["computerDnsName"]


def test_graph_says_the_same_in_its_own_words(visitor: Visitor, incidents: list[dict[str, Any]]) -> None:
    found = visitor.api("/v1.0/security/incidents", "litware", resource=GRAPH).json()["value"]
    assert found and all(set(one) >= GRAPH_INCIDENT for one in found)
    assert [one["id"] for one in found] == [str(raw["incidentId"]) for raw in incidents[: len(found)]]
    assert {one["status"] for one in found} <= {
        "active",
        "inProgress",
        "resolved",
        "redirected",
        "new",
        "awaitingAction",
    }
