"""Which network an address belongs to: for counting who tries how often."""

import ipaddress


def network_of(address: str) -> str:
    """An IPv4 address, or the /64 of an IPv6 address: one subscriber has that many, and could use each once.

    Empty where the text is no address.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
