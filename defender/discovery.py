"""From what staff type to the tenant it means: a GUID, or a domain that Entra ID resolves without any credential.

The text goes into the path of an address, so it is held to the form of a GUID or a host name first. A domain proves
nothing about who asks; it only saves looking up an id.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from defender.clouds import Cloud
from defender.errors import BadInput, TenantUnknown, Transient, plain
from defender.msal_http import oauth_object
from defender.transport import Reply, Transport

# A discovery document has about 2 KB; cap and time-out are ours. A person is waiting for the answer.
_MAX_BYTES: Final = 64 * 1024
_DEADLINE: Final = 10.0

_GUID: Final = re.compile(r"\{?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\}?", re.IGNORECASE)
_HEX: Final = re.compile(r"[0-9a-f{}-]{24,}", re.IGNORECASE)
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?")
_SHARED: Final = frozenset({"common", "organizations", "consumers"})
# The tenant of personal Microsoft accounts, and the GUID of nothing.
_NO_CUSTOMER: Final = frozenset({UUID("9188040d-6c67-4c5b-b112-36a304b66dad"), UUID(int=0)})


@dataclass(frozen=True, slots=True)
class TenantIdentity:
    """A tenant as Entra ID names it, with a region such as EU or WW and a cloud such as microsoftonline.com."""

    tenant_id: UUID
    region_scope: str | None
    region_sub_scope: str | None
    cloud_instance: str | None


def parse_tenant(text: str) -> UUID | str:
    """A tenant id, or a domain in lower-case ASCII form. Raises BadInput with what is wrong and what to type."""
    typed = text.strip()
    if found := _GUID.fullmatch(typed):
        return _customer_id(UUID(found[1]))
    if _HEX.fullmatch(typed):
        raise _bad("This is nearly a tenant id.", "It has 32 hex digits in groups of 8-4-4-4-12; copy it again.")
    return _domain(typed)


def resolve_tenant(text: str, cloud: Cloud, transport: Transport) -> TenantIdentity:
    """The tenant that a GUID or domain means in this cloud.

    Raises BadInput before anything is sent; TenantUnknown if this cloud has no such tenant; Transient, Throttled.
    """
    asked = parse_tenant(text)
    url = f"{cloud.authority}/{asked}/v2.0/.well-known/openid-configuration"
    reply = transport.call("GET", url, deadline=_DEADLINE, max_bytes=_MAX_BYTES)
    document = oauth_object(reply)
    _refuse_other_cloud(document, cloud)
    tenant_id = _tenant_id(document, cloud, reply)
    if isinstance(asked, UUID) and asked != tenant_id:
        raise _mismatch(reply)
    return TenantIdentity(
        tenant_id,
        _word(document.get("tenant_region_scope")),
        _word(document.get("tenant_region_sub_scope")),
        _word(document.get("cloud_instance_name")),
    )


def _customer_id(tenant_id: UUID) -> UUID:
    if tenant_id in _NO_CUSTOMER:
        raise _bad("This id belongs to no organisation.", "Ask the customer for the tenant id of their directory.")
    return tenant_id


def _domain(typed: str) -> str:
    if typed.lower() in _SHARED:
        raise _bad("This stands for any tenant.", "Type the id or a domain of the one tenant that is meant.")
    if "@" in typed:
        raise _bad("This looks like an e-mail address.", "Type only the part behind the @.")
    if "/" in typed or ":" in typed:
        raise _bad("This looks like a web address.", "Type only the domain, such as contoso.com.")
    domain = _ascii(typed.rstrip(".").lower())
    labels = domain.split(".")
    if len(labels) < 2 or len(domain) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _bad(
            "This is neither a tenant id nor a domain.", "Type one such as contoso.com or contoso.onmicrosoft.com."
        )
    if labels[-1].isdigit():
        raise _bad("This looks like a network address.", "Type the domain or the tenant id.")
    return domain


def _ascii(domain: str) -> str:
    """Punycode for names with other letters than a-z."""
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        failure = _bad("This domain holds characters that no domain has.", "Type it again by hand, without copying.")
    raise failure


def _bad(what: str, then: str) -> BadInput:
    return BadInput(f"{what} {then}", step=then, code="bad-tenant")


def _refuse_other_cloud(document: Mapping[str, Any], cloud: Cloud) -> None:
    instance = _word(document.get("cloud_instance_name"))
    ours = (urlsplit(cloud.authority).hostname or "").removeprefix("login.")
    if instance is not None and instance != ours:
        raise TenantUnknown(
            f"This tenant lives in another of Microsoft's clouds ({plain(instance, 60)}).",
            step="Choose the cloud of this tenant; each cloud needs its own app registration.",
            code="other-cloud",
        )


def _tenant_id(document: Mapping[str, Any], cloud: Cloud, reply: Reply) -> UUID:
    """The GUID of the issuer, which the token endpoint has to name too."""
    issuer, endpoint = (_text(document.get(name)) for name in ("issuer", "token_endpoint"))
    found = re.fullmatch(rf"https://[a-z0-9.-]+/({_GUID.pattern[3:-3]})(?:/v2\.0)?/?", issuer, re.IGNORECASE)
    if not found or not endpoint.lower().startswith(f"{cloud.authority}/{found[1].lower()}/"):
        raise _mismatch(reply)
    return UUID(found[1])


def _mismatch(reply: Reply) -> Transient:
    return Transient(
        "Entra ID's answer does not name one tenant clearly.",
        step="Try again; if it stays so, use the tenant id instead of the domain.",
        code="discovery-shape",
        reference=reply.request_id,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 512 else ""


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9.-]{1,40}", value) else None
