"""Which values of an incident are worth looking for in other incidents, and which say nothing about a link.

A value is telling where two incidents that share it probably have something to do with each other. Left out, all by our
own choice: addresses that every network has (private, shared, loopback, link-local, multicast), hashes of nothing,
names of files without a hash, built-in accounts, host names without a domain outside their own tenant, subjects of
mails. Command lines, registry keys and what stands in other kinds of evidence is not compared at all. What is common
without standing on a list is found out by counting: see ``incidents.sightings``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final

# Kinds of evidence in the order of how much they tell, and how many values of each are looked for. Both ours.
PER_KIND: Final = {"file": 10, "url": 6, "mailmessage": 4, "ip": 8, "device": 6, "user": 6, "mailbox": 4}
# What a person calls the value.
LABELS: Final = {
    "file": "Hash",
    "url": "URL",
    "mailmessage": "Mail sender",
    "ip": "IP address",
    "device": "Host",
    "user": "User",
    "mailbox": "Mailbox",
}
# People and mailboxes belong to one tenant; the rest may turn up anywhere.
EVERYWHERE: Final = frozenset({"file", "url", "mailmessage", "ip", "device"})

_HASH = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
# MD5 is no value of evidence; these are SHA-256 and SHA-1 of no bytes at all.
_OF_NOTHING = frozenset(
    {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    }
)
# RFC 1918, 6598, 1122, 3927, 5771, 4193, 4291. Not Python's is_private, which counts documentation networks as well.
_OF_EVERY_NETWORK = [
    ip_network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
        "192.168.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "::/127", "fc00::/7", "fe80::/10", "ff00::/8",
    )
]  # fmt: skip
_BUILT_IN = frozenset(
    {
        "administrator", "admin", "guest", "root", "system", "nobody", "daemon", "krbtgt", "defaultaccount", "www-data",
        "trustedinstaller", "local service", "network service", "anonymous logon", "nt authority\\system",
    }
)  # fmt: skip
_NO_HOST = frozenset({"localhost", "localhost.localdomain", "workgroup"})


@dataclass(frozen=True, slots=True)
class Value:
    """One value to look for; ``kind`` is that of the evidence it came from."""

    kind: str
    value: str

    @property
    def label(self) -> str:
        """What a person calls it."""
        return LABELS[self.kind]


def telling(found: Iterable[tuple[str, str]], *, elsewhere: bool) -> list[Value]:
    """The values (kind, value) worth looking for, in the order given, so many of each kind as PER_KIND says.

    ``elsewhere``: in other tenants, where a person or a short host name is not the same one.
    """
    room, chosen = dict(PER_KIND), []
    for kind, value in found:
        if room.get(kind) and is_telling(kind, value) and (not elsewhere or _means_the_same_everywhere(kind, value)):
            room[kind] -= 1
            chosen.append(Value(kind, value))
    return chosen


def is_telling(kind: str, value: str) -> bool:
    """Whether two incidents of one tenant with this value may have something to do with each other."""
    if kind == "file":
        return bool(_HASH.fullmatch(value)) and value not in _OF_NOTHING
    if kind == "ip":
        return _is_of_one_network(value)
    if kind in {"mailmessage", "mailbox"}:
        return "@" in value
    if kind == "user":
        return value not in _BUILT_IN and not value.endswith("$")
    if kind == "device":
        return value not in _NO_HOST
    return kind == "url" and len(value) > 5 and "." in value


def _means_the_same_everywhere(kind: str, value: str) -> bool:
    return kind in EVERYWHERE and (kind != "device" or "." in value or bool(_HASH.fullmatch(value)))


def _is_of_one_network(value: str) -> bool:
    try:
        address = ip_address(value)
    except ValueError:
        return False
    return not any(address in network for network in _OF_EVERY_NETWORK if network.version == address.version)
