"""The MSSP's own tenant: its people, the registration they sign in with, and the sign-ins that are under way.

It is no customer, so it is not among the world's tenants. Its people and ids are the same in every world.
"""

import secrets
import threading
import time
import uuid
from dataclasses import dataclass, field

from sandbox.cast import NAMESPACE, tenant_id_of
from sandbox.registration import Registration, Secret

TENANT_ID = "5a11db0c-0000-4000-8000-000000000401"
DOMAIN = "harbourwatch.example"
CLIENT_ID = "5a11db0c-0000-4000-8000-0000000051f1"
CLIENT_SECRET = "sandbox-sign-in-secret"
CALLBACKS = (
    r"http://localhost(:[0-9]+)?/sign-in/callback/",
    r"http://127\.0\.0\.1(:[0-9]+)?/sign-in/callback/",
)
ACCESS, STAFF = "Portal.Access", "Portal.Staff"
# A code is good for about a minute.
CODE_SECONDS = 60


@dataclass(frozen=True)
class Person:
    """Somebody who can sign in; ``roles`` are app roles of the sign-in registration, ``home`` a guest's own tenant."""

    user_name: str
    name: str
    about: str
    roles: tuple[str, ...] = (ACCESS,)
    home: str = TENANT_ID

    @property
    def object_id(self) -> str:
        """The id in this tenant, the same in every world."""
        return str(uuid.uuid5(NAMESPACE, f"person:{self.user_name}"))

    @property
    def address(self) -> str:
        """What people type and see; it identifies nobody."""
        return f"{self.user_name}@{DOMAIN}"


PEOPLE = (
    Person("admin", "Ada", "staff; reads every tenant, connects new ones", (ACCESS, STAFF)),
    Person("alice", "Alice", "analyst for Contoso and Fabrikam"),
    Person("bob", "Bob", "may only read Contoso"),
    Person("charlie", "Charlie", "analyst for Northwind Traders"),
    Person("erin", "Erin", "has no role of the portal, and is refused", ()),
    Person("gus", "Gus", "a guest from Contoso, and is refused", home=tenant_id_of("Contoso")),
)


@dataclass(frozen=True)
class Grant:
    """What an authorization code stands for."""

    person: Person
    query: dict[str, str]
    authenticated_at: int
    made_at: float


@dataclass
class Home:
    """The directory. ``sends_amr`` has tokens carry that claim, which those of the second version usually do not."""

    registration: Registration = field(
        default_factory=lambda: Registration(
            client_id=CLIENT_ID,
            name="Defender portal: sign-in",
            secrets=[Secret(CLIENT_SECRET)],
            redirect_uris=list(CALLBACKS),
        )
    )
    people: dict[str, Person] = field(default_factory=lambda: {person.user_name: person for person in PEOPLE})
    sends_amr: bool = False
    _codes: dict[str, Grant | None] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_named(self, tenant: str) -> bool:
        """Whether a URL's tenant means this one."""
        return tenant.lower() in (TENANT_ID, DOMAIN)

    def grant(self, person: Person, query: dict[str, str], *, authenticated_at: int) -> str:
        """A code for one redemption."""
        code = f"0.{secrets.token_urlsafe(48)}"
        with self._lock:
            self._codes[code] = Grant(person, query, authenticated_at, time.time())
        return code

    def spend(self, code: str) -> Grant | None:
        """What the code stands for; None where it was spent before. KeyError for a code that was never given."""
        with self._lock:
            found = self._codes[code]
            self._codes[code] = None
        return found
