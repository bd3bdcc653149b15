"""Hostile text in every place that holds text: ten incidents at the sandbox, and every name the portal knows by itself.

The incidents go the whole way: sandbox, worker, database, page. Names of tenants, customers and people, reasons, alarms
and the audit log are written directly, as though staff, Entra ID or Microsoft had sent them.
"""

import subprocess
import sys
from itertools import cycle, islice
from typing import Any

from demo.stack import ROOT, Stack
from tests.journeys.hostile_payloads import pack, payloads
from tests.journeys.portal_under_test import Sandbox

INCIDENTS = 10
# What the portal shows of a name, and what its columns hold.
NAME = 290
COLUMN = 190

ENTITIES: dict[str, tuple[str, ...]] = {
    "User": ("userPrincipalName", "accountName", "domainName", "userSid", "aadUserId"),
    "Process": ("processCommandLine", "fileName", "filePath", "accountName", "userPrincipalName", "sha256"),
    "File": ("fileName", "filePath", "sha1", "sha256", "deviceId"),
    "Ip": ("ipAddress",),
    "Url": ("url",),
    "MailMessage": ("subject", "sender", "p2Sender", "recipient", "deliveryAction", "internetMessageId"),
    "Mailbox": ("mailboxAddress", "mailboxDisplayName", "userPrincipalName"),
    "MailCluster": ("clusterBy", "clusterByValue", "query"),
    "Registry": ("registryHive", "registryKey", "registryValue", "registryValueName", "registryValueType"),
    "OAuthApplication": ("applicationId", "applicationName", "publisher"),
    "SecurityGroup": ("securityGroupId", "securityGroupName"),
}
DEVICE: tuple[str, ...] = (
    "deviceDnsName",
    "deviceId",
    "mdatpDeviceId",
    "aadDeviceId",
    "osPlatform",
    "healthStatus",
    "riskScore",
)
DEVICE += ("defenderAvStatus", "onboardingStatus", "rbacGroupName", "version", "osProcessor")
ALERT: tuple[str, ...] = (
    "title",
    "description",
    "category",
    "status",
    "severity",
    "investigationState",
    "classification",
    "providerAlertId",
)
ALERT += (
    "determination",
    "detectionSource",
    "serviceSource",
    "detectorId",
    "assignedTo",
    "actorName",
    "threatFamilyName",
)


def incident(number: int, at: str) -> dict[str, Any]:
    """One of the ten: its share of the payloads in each string field of each alert, and packs of them above."""
    every = payloads()
    share = list(islice(cycle(every), number * share_size(), (number + 1) * share_size()))
    start = number * share_size()
    return {
        "incidentName": pack(start, NAME),
        "assignedTo": pack(start, COLUMN),
        "classification": pack(start, 100),
        "determination": pack(start + 3, 100),
        "severity": pack(start + 5, 60),
        "status": pack(start + 7, 60) if number % 2 else "Active",
        "incidentUri": share[0],
        "tags": share,
        "comments": [{"comment": text, "createdBy": text, "createdTime": at} for text in share],
        "alerts": [alert(f"{number}-{place}", text, at) for place, text in enumerate(share)],
    }


def share_size() -> int:
    """So many payloads per incident that ten incidents hold all of them."""
    return -(-len(payloads()) // INCIDENTS)


def alert(name: str, text: str, at: str) -> dict[str, Any]:
    """One payload in every string field."""
    times = dict.fromkeys(("creationTime", "lastUpdatedTime", "firstActivity", "lastActivity"), at)
    entities = [
        {"entityType": kind, "verdict": text, "remediationStatus": text, "evidenceCreationTime": at}
        | dict.fromkeys(fields, text)
        for kind, fields in ENTITIES.items()
    ]
    entities.append({"entityType": text[:60], "name": text})
    return {
        "alertId": f"da{name}{text}",
        "mitreTechniques": [text, "T1078.004"],
        "devices": [dict.fromkeys(DEVICE, text) | {"loggedOnUsers": [{"accountName": text, "domainName": text}]}],
        "entities": entities,
        **dict.fromkeys(ALERT, text),
        **times,
    }


NAMES = """
import django
django.setup()
from django.utils import timezone
from audit.record import COMMAND_LINE, Actor, Event, record
from accounts.models import User
from tenants import alarms, scope
from tenants.models import Alarm, Customer, Tenant, TenantGroup
from tests.journeys.hostile_payloads import pack, payloads
storable = lambda text: text.replace("\\x00", "")
with scope.operations():
    for number, tenant in enumerate(Tenant.objects.order_by("pk")):
        start = number * 11
        Tenant.objects.filter(pk=tenant.pk).update(
            name=storable(pack(start, 180)), domain=storable(pack(start + 3, 240)),
            state_detail=storable(pack(start, 480)),
            state_code=storable(pack(start + 5, 55)), state_reference=storable(pack(start + 7, 110)))
        Customer.objects.filter(pk=tenant.customer_id).update(name=storable(pack(start + 1, 180)) + str(number))
        TenantGroup.objects.create(name=storable(pack(start + 2, 90)) + str(number))
    for number, text in enumerate(payloads()):
        name = storable(text)
        User.objects.create(username=name[:140] + str(number), display_name=name[:190], password="!")
    User.objects.filter(username="admin").update(display_name=storable(pack(0, 190)))
    record(*(Event(by=Actor(storable(text)[:190], storable(text)[:30], storable(text)[:60]), action=storable(text)[:79],
                   subject=storable(text)[:290], details={"change": text}) for text in payloads()))
    for number, text in enumerate(payloads()[:5]):
        said = storable(text)
        Alarm.objects.create(key=f"hostile-{number}", sentence=said, step=said, raised_at=timezone.now())
"""


def fill(stack: Stack, sandbox: Sandbox, tenant: str, at: str) -> None:
    """Everything, once. The sandbox's tenants keep their ids, so that the worker goes on reading them."""
    for number in range(INCIDENTS):
        sandbox.post(f"tenants/{tenant}/incidents", incident(number, at))
    env = {**stack.env("owner"), "DJANGO_SETTINGS_MODULE": "portal.settings"}
    subprocess.run([sys.executable, "-c", NAMES], env=env, cwd=ROOT, check=True, timeout=120)
