"""What a tenant owns: people, devices, mailboxes. Everything is invented; addresses come from documentation ranges."""

import random
import uuid
from dataclasses import dataclass
from typing import Any

from sandbox.moments import DAY, iso

_GIVEN = ("amber", "cobalt", "coral", "hazel", "indigo", "ivory", "jade", "olive", "ruby", "sable", "scarlet", "teal")
_FAMILY = ("bittern", "crane", "dunlin", "finch", "grebe", "heron", "kestrel", "lapwing", "merlin", "plover", "wren")
_SITES = ("ams", "ber", "chi", "dub", "hel", "lis", "osl", "vie", "yyz")
_SYSTEMS = (
    ("Windows11", "23H2", 22631, "wks"),
    ("Windows11", "24H2", 26100, "lap"),
    ("Windows10", "22H2", 19045, "wks"),
    ("WindowsServer2019", "1809", 17763, "srv"),
    ("WindowsServer2022", "21H2", 20348, "srv"),
    ("Linux", "8.9", None, "lnx"),
    ("macOS", "14.6", None, "mac"),
)
_HEALTH = ("Active", "Active", "Active", "Inactive", "ImpairedCommunication", "NoSensorData")
_RISK = ("None", "Informational", "Low", "Medium", "High")


def guid(rng: random.Random) -> str:
    """A random GUID, as text."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def hexes(rng: random.Random, digits: int) -> str:
    """So many random hex digits."""
    return f"{rng.getrandbits(digits * 4):0{digits}x}"


@dataclass(frozen=True)
class Person:
    """One user account."""

    account: str
    domain: str
    sid: str
    object_id: str
    upn: str
    title: str


@dataclass(frozen=True)
class Device:
    """One machine as an incident shows it (`shape`), plus the name and number the evidence needs."""

    device_id: str
    dns: str
    server: bool
    shape: dict[str, Any]
    external_ip: str


@dataclass(frozen=True)
class Estate:
    """Everybody and everything of one tenant."""

    domain: str
    people: tuple[Person, ...]
    devices: tuple[Device, ...]
    analysts: tuple[str, ...]


def build_estate(rng: random.Random, domain: str, *, epoch: int) -> Estate:
    """People and devices of one tenant, the same for the same random source."""
    netbios = domain.partition(".")[0].upper()[:15]
    sid = f"S-1-5-21-{rng.randrange(10**9)}-{rng.randrange(10**9)}-{rng.randrange(10**9)}"
    people = tuple(_person(rng, domain, netbios, sid, number) for number in range(rng.randint(12, 40)))
    devices = tuple(_device(rng, domain, netbios, people, epoch, number) for number in range(rng.randint(10, 45)))
    analysts = (f"secops1@{domain}", f"secops2@{domain}", "duty@mssp.example")
    return Estate(domain, people, devices, analysts)


def _person(rng: random.Random, domain: str, netbios: str, sid: str, number: int) -> Person:
    given, family = rng.choice(_GIVEN), rng.choice(_FAMILY)
    account = f"{given}.{family}{number}"
    return Person(
        account, netbios, f"{sid}-{1100 + number}", guid(rng), f"{account}@{domain}", f"{given} {family}".title()
    )


def _device(
    rng: random.Random, domain: str, netbios: str, people: tuple[Person, ...], epoch: int, number: int
) -> Device:
    system, version, build, kind = rng.choice(_SYSTEMS)
    dns = f"{rng.choice(_SITES)}-{kind}-{number:03d}.{domain}"
    owner = rng.choice(people)
    shape: dict[str, Any] = {
        "mdatpDeviceId": hexes(rng, 40),
        "aadDeviceId": guid(rng) if rng.random() < 0.8 else None,
        "deviceDnsName": dns,
        "osPlatform": system,
        "version": version,
        "osProcessor": "x64" if rng.random() < 0.6 else None,
        "osBuild": build,
        "healthStatus": rng.choice(_HEALTH),
        "riskScore": rng.choice(_RISK),
        "rbacGroupName": rng.choice(("Workstations", "Servers", None)),
        "firstSeen": iso(epoch - rng.randrange(181 * DAY, 700 * DAY)),
        "tags": rng.choice(([], [], ["crown jewel"], ["kiosk", "front desk"])),
        "defenderAvStatus": rng.choice(("Updated", "Updated", "NotSupported", "Unknown")),
        "onboardingStatus": "Onboarded",
        "vmMetadata": None,
        "loggedOnUsers": [{"accountName": owner.account, "domainName": netbios}],
    }
    return Device(shape["mdatpDeviceId"], dns, kind in ("srv", "lnx"), shape, f"198.51.100.{rng.randrange(1, 255)}")
