"""The cast: the tenants of this world, who has consented to what, and who is slow, throttled, revoked or unlicensed."""

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from sandbox.casebook import Casebook
from sandbox.estate import Estate
from sandbox.resources import MDE, XDR

NAMESPACE = uuid.UUID("5a11db0c-5eed-5eed-5eed-000000000001")

CONNECTED, PENDING, ROLE_MISSING, REVIEW = "connected", "pending", "role_missing", "review"
REVOKED, NO_LICENCE, SLOW, THROTTLING = "revoked", "no_licence", "slow", "throttling"
DISABLED, LAPSED = "disabled", "lapsed"
STATES = (CONNECTED, PENDING, ROLE_MISSING, REVIEW, REVOKED, NO_LICENCE, SLOW, THROTTLING, DISABLED, LAPSED)

# Microsoft's fictitious companies. The first ones are the everyday cast of tests, so they are simply connected.
NAMES: tuple[tuple[str, str], ...] = (
    ("Contoso", CONNECTED),
    ("Fabrikam", CONNECTED),
    ("Northwind Traders", CONNECTED),
    ("Adventure Works", CONNECTED),
    ("Tailspin Toys", CONNECTED),
    ("Litware", CONNECTED),
    ("Proseware", CONNECTED),
    ("Woodgrove Bank", CONNECTED),
    ("Wingtip Toys", CONNECTED),
    ("Alpine Ski House", CONNECTED),
    ("Coho Vineyard", PENDING),
    ("Fourth Coffee", PENDING),
    ("Graphic Design Institute", ROLE_MISSING),
    ("Humongous Insurance", REVIEW),
    ("Margie's Travel", REVOKED),
    ("School of Fine Art", NO_LICENCE),
    ("Southridge Video", SLOW),
    ("Trey Research", THROTTLING),
    ("Lucerne Publishing", CONNECTED),
    ("Relecloud", CONNECTED),
    ("Blue Yonder Airlines", CONNECTED),
    ("City Power & Light", CONNECTED),
    ("Consolidated Messenger", CONNECTED),
    ("Datum Corporation", CONNECTED),
    ("Munson's Pickles", CONNECTED),
)
# Seconds from consent until the token carries the roles; Fourth Coffee shows "consented, waiting for roles".
SLOW_GRANTS = {"Fourth Coffee": 45.0}
MOSTLY_MERGED = ("Fabrikam", "Proseware", "Relecloud")

_FIRST = (
    "Amber",
    "Birch",
    "Cedar",
    "Delta",
    "Ember",
    "Fjord",
    "Garnet",
    "Harbour",
    "Iris",
    "Juniper",
    "Kestrel",
    "Lark",
)
_SECOND = (
    "Bakery",
    "Clinics",
    "Dental",
    "Energy",
    "Foods",
    "Freight",
    "Labs",
    "Legal",
    "Media",
    "Schools",
    "Tools",
    "Water",
)


@dataclass
class ServicePrincipal:
    """The partner's application as installed in one tenant: which roles it was granted, and from when they count."""

    object_id: str
    enabled: bool = True
    grants: dict[str, set[str]] = field(default_factory=dict)
    effective_at: int = 0


@dataclass
class Tenant:
    """One customer. `licence` is active, lapsed or none; `manner` is plain, slow or throttling."""

    number: int
    name: str
    tenant_id: str
    domain: str
    build: Callable[["Tenant"], tuple[Estate, Casebook]]
    principal: ServicePrincipal | None = None
    was_installed: bool = False
    licence: str = "active"
    manner: str = "plain"
    consent_delay: float = 0.0
    installs: int = 0

    @property
    def slug(self) -> str:
        """The first word of its domain."""
        return self.domain.removesuffix(".example")

    @cached_property
    def _contents(self) -> tuple[Estate, Casebook]:
        return self.build(self)

    @property
    def is_made(self) -> bool:
        """Whether its incidents exist already."""
        return "_contents" in self.__dict__

    @property
    def estate(self) -> Estate:
        """Its people and devices."""
        return self._contents[0]

    @property
    def book(self) -> Casebook:
        """Its incidents; made when first needed, so that thousands of tenants cost nothing until called."""
        return self._contents[1]

    @property
    def state(self) -> str:
        """One word for how this tenant stands, read off the facts rather than stored beside them."""
        if self.licence != "active":
            return NO_LICENCE if self.licence == "none" else LAPSED
        if self.principal is None:
            return REVOKED if self.was_installed else PENDING
        if not self.principal.enabled:
            return DISABLED
        return self._granted_state(self.principal)

    def _granted_state(self, principal: ServicePrincipal) -> str:
        xdr = principal.grants.get(XDR.key, set())
        if not xdr & {"Incident.Read.All", "Incident.ReadWrite.All"}:
            return ROLE_MISSING
        if self.manner != "plain":
            return self.manner
        extra = xdr - {"Incident.Read.All", "Incident.ReadWrite.All"}
        extra |= principal.grants.get(MDE.key, set()) - {"Machine.Read.All"}
        return REVIEW if extra else CONNECTED


def slug_of(name: str) -> str:
    """`Adventure Works` → `adventureworks`."""
    return "".join(letter for letter in name.lower() if letter.isalnum())


def tenant_id_of(name: str) -> str:
    """The fixed tenant id of a name: the same in every world, whatever its seed."""
    return str(uuid.uuid5(NAMESPACE, name))


def names(wanted: int | Sequence[str]) -> Iterator[tuple[str, str]]:
    """(name, state) for the first `wanted` tenants, or for exactly the names given."""
    if not isinstance(wanted, int):
        known = dict(NAMES)
        yield from ((name, known.get(name, CONNECTED)) for name in wanted)
        return
    yield from NAMES[:wanted]
    for number in range(len(NAMES), wanted):
        first, second = _FIRST[number % len(_FIRST)], _SECOND[number // len(_FIRST) % len(_SECOND)]
        yield f"{first} {second} {number}", CONNECTED
