"""The Microsoft clouds: which host signs in, which host answers, and what a token has to be made out to.

A token's audience goes by permission family, never by host name: Defender for Endpoint answers on the same host as
Defender XDR in the global cloud and still wants tokens of its own. The sandbox is one more row: it keeps every string
of the global cloud, so that the same code path runs, and names a stand-in that the transport puts in Microsoft's place.
"""

from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Resource:
    """An API that tokens are made out to: `audience` is its identifier URI, `names` every other spelling of it."""

    key: str
    title: str
    audience: str
    names: frozenset[str]

    @property
    def scope(self) -> str:
        """The only scope that client credentials may ask for: everything that was granted on this resource."""
        return self.audience + "/.default"


XDR: Final = Resource(
    "xdr",
    "Microsoft Threat Protection",
    "https://api.security.microsoft.com",
    frozenset({"https://api.security.microsoft.com", "8ee8fdad-f234-4243-8f3b-15c294843740"}),
)
MDE: Final = Resource(
    "mde",
    "WindowsDefenderATP",
    "https://api.securitycenter.microsoft.com",
    frozenset(
        {
            "https://api.securitycenter.microsoft.com",
            "https://securitycenter.onmicrosoft.com/windowsatpservice",
            "fc780465-2017-40d4-a0c5-307022471b92",
        }
    ),
)
GRAPH: Final = Resource(
    "graph",
    "Microsoft Graph",
    "https://graph.microsoft.com",
    frozenset(
        {
            "https://graph.microsoft.com",
            "https://graph.microsoft.us",
            "https://dod-graph.microsoft.us",
            "00000003-0000-0000-c000-000000000000",
        }
    ),
)
RESOURCES: Final = (XDR, MDE, GRAPH)


@dataclass(frozen=True, slots=True)
class StandIn:
    """Base URLs that answer instead of Microsoft: https anywhere, plain http on loopback only. Raises ValueError."""

    login: str
    xdr: str
    mde: str
    graph: str

    def __post_init__(self) -> None:
        for name in ("login", "xdr", "mde", "graph"):
            object.__setattr__(self, name, _stand_in_url(name, getattr(self, name)))


@dataclass(frozen=True, slots=True)
class Cloud:
    """One Microsoft cloud. `authority`, the `*_api` and `portal` are origins without a trailing slash."""

    name: str
    title: str
    authority: str
    xdr_api: str
    mde_api: str
    graph_api: str
    portal: str
    stand_in: StandIn | None = None

    @property
    def browser_login(self) -> str:
        """Where a browser is sent to sign in or to consent."""
        return self.stand_in.login if self.stand_in else self.authority

    def api(self, resource: Resource) -> str:
        """The origin that serves a resource in this cloud."""
        return {"xdr": self.xdr_api, "mde": self.mde_api, "graph": self.graph_api}[resource.key]

    def scope(self, resource: Resource) -> str:
        """The `.default` scope of a resource. Graph has an audience per cloud; the Defender audiences are global."""
        return self.graph_api + "/.default" if resource.key == "graph" else resource.scope

    def incident_link(self, incident_id: int, tenant_id: UUID) -> str:
        """The page of an incident in Microsoft's own portal, opened in the right tenant."""
        return f"{self.portal}/incidents/{quote(str(int(incident_id)))}?tid={tenant_id}"


_GLOBAL = Cloud(
    name="global",
    title="Microsoft's global cloud",
    authority="https://login.microsoftonline.com",
    xdr_api="https://api.security.microsoft.com",
    mde_api="https://api.security.microsoft.com",
    graph_api="https://graph.microsoft.com",
    portal="https://security.microsoft.com",
)
_GCC = Cloud(
    name="gcc",
    title="GCC",
    authority="https://login.microsoftonline.com",
    xdr_api="https://api-gcc.security.microsoft.us",
    mde_api="https://api-gcc.securitycenter.microsoft.us",
    graph_api="https://graph.microsoft.com",
    portal="https://security.microsoft.com",
)
_GCC_HIGH = Cloud(
    name="gcc-high",
    title="GCC High",
    authority="https://login.microsoftonline.us",
    xdr_api="https://api-gov.security.microsoft.us",
    mde_api="https://api-gov.securitycenter.microsoft.us",
    graph_api="https://graph.microsoft.us",
    portal="https://security.microsoft.us",
)
_DOD = replace(
    _GCC_HIGH,
    name="dod",
    title="DoD",
    graph_api="https://dod-graph.microsoft.us",
    portal="https://security.apps.mil",
)
_CLOUDS: Final = {cloud.name: cloud for cloud in (_GLOBAL, _GCC, _GCC_HIGH, _DOD)}
CLOUD_NAMES: Final = (*_CLOUDS, "sandbox")


def find_cloud(name: str, stand_in: StandIn | None = None) -> Cloud:
    """The cloud of that name; only `sandbox` takes a stand-in, and needs one. Raises ValueError with a sentence."""
    if name == "sandbox":
        if stand_in is None:
            raise ValueError("The cloud 'sandbox' needs the addresses of a running sandbox.")
        return replace(_GLOBAL, name="sandbox", title="Sandbox", stand_in=stand_in)
    if name not in _CLOUDS:
        raise ValueError(f"There is no cloud named {name!r}; choose one of {', '.join(CLOUD_NAMES)}.")
    if stand_in is not None:
        raise ValueError(f"The cloud {name!r} is Microsoft's own and takes no stand-in; choose 'sandbox' for that.")
    return _CLOUDS[name]


def _stand_in_url(name: str, url: str) -> str:
    parts = _split(name, url)
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError(f"The stand-in's {name} address must be scheme, host, port and path only.")
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        return url.rstrip("/")
    raise ValueError(f"The stand-in's {name} address must be https, or http on this machine (localhost); got {url!r}.")


def _split(name: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        known = parts.port is None or parts.port > 0
    except ValueError:
        known = False
    if not known or not parts.hostname or not url.isprintable() or " " in url:
        raise ValueError(f"The stand-in's {name} address is not a web address: {url!r}.")
    return parts


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
