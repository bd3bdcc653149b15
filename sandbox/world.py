"""The world: a cast of tenants, their incidents, one registered application, a clock, and everything that can go wrong.

One object, shared by the server's loop and by the test or the control page that moves it. What it holds is the truth
that a portal's database is compared with.
"""

import random
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sandbox import cast, changes
from sandbox.calls import Calls
from sandbox.casebook import Casebook, Raw
from sandbox.cast import ServicePrincipal, Tenant
from sandbox.estate import Estate, build_estate
from sandbox.faults import Faults
from sandbox.home import Home
from sandbox.incidents import make_incident
from sandbox.keys import Keys
from sandbox.moments import SECOND, Clock, cut_to, ticks_from, ticks_of
from sandbox.past import build_past
from sandbox.poison import WAYS
from sandbox.quota import Quotas
from sandbox.registration import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET, Registration, Secret
from sandbox.resources import MDE, RESOURCES, XDR, Resource, resource_of_role
from sandbox.tokens import Tokens

# How many incidents each of the first `big` tenants has: several pages.
BIG = (250, 450)
REAL_API = "https://api.security.microsoft.com"
EXTRA_ROLES = {XDR.key: {"AdvancedHunting.Read.All"}, MDE.key: {"Machine.Isolate", "Machine.Scan"}}


class World:
    """`tenants`: how many of the cast, or names. `pace`: how lively it is by itself; 0 is quiet.

    Same `seed`, same tenants and incidents relative to `epoch` (aware; now unless given). `quotas` off counts no calls.
    The first `big` tenants have several pages of incidents.
    """

    def __init__(
        self,
        seed: int = 7,
        *,
        tenants: int | Sequence[str] = 25,
        pace: float = 0.0,
        epoch: datetime | None = None,
        client_id: str = DEFAULT_CLIENT_ID,
        client_secret: str = DEFAULT_CLIENT_SECRET,
        quotas: bool = True,
        incidents: tuple[int, int] = (40, 400),
        big: int = 0,
    ) -> None:
        self.seed, self.pace, self.incidents, self.big = seed, pace, incidents, big
        self.clock = Clock()
        self.epoch = ticks_from(epoch) if epoch else cut_to(self.clock.ticks(), 0)
        self.registration = Registration(client_id=client_id, secrets=[Secret(client_secret)])
        self.keys, self.calls, self.faults = Keys(), Calls(), Faults(seed)
        # The MSSP's own tenant, where its people sign in; it is no customer.
        self.home = Home()
        self.quotas = Quotas(enabled=quotas)
        self.rng = random.Random(f"{seed}:life")
        self.tokens = Tokens(self.keys, self.clock, random.Random(f"{seed}:tokens"))
        # Where @odata.nextLink points: the real host, as recorded, or this server ("own") when set so.
        self.next_link_base = REAL_API
        # Whether a 429 carries Retry-After: None leaves it to the tenant's number, since nobody documents it.
        self.retry_after: bool | None = None
        # Whether rarer things happen by themselves too; and, for proofs that the order is looked at, oldest first.
        self.busy = self.ascending = False
        # What has happened by itself so far.
        self.happened = 0
        self.lock = threading.RLock()
        # Told of every change, where a world is to outlive its process: see sandbox.journal.
        self.journal: Callable[[dict[str, Any]], None] | None = None
        self.tenants: dict[str, Tenant] = {}
        for name, state in cast.names(tenants):
            self._settle(name, state)
        self._domains = {tenant.domain: tenant for tenant in self.tenants.values()}

    def _settle(self, name: str, state: str) -> None:
        tenant = Tenant(
            len(self.tenants), name, cast.tenant_id_of(name), f"{cast.slug_of(name)}.example", self._contents
        )
        tenant.consent_delay = cast.SLOW_GRANTS.get(name, 0.0)
        self.tenants[tenant.tenant_id] = tenant
        self.set_state(tenant, state)

    def _contents(self, tenant: Tenant) -> tuple[Estate, Casebook]:
        rng = random.Random(f"{self.seed}:{tenant.tenant_id}")
        estate, book = build_estate(rng, tenant.domain, epoch=self.epoch), Casebook()
        book.load(
            build_past(
                rng, estate, tenant, bounds=BIG if tenant.number < self.big else self.incidents, epoch=self.epoch
            ),
            written=self.epoch,
        )
        return estate, book

    # Who

    def tenant(self, name: str) -> Tenant:
        """By id, domain, name or the domain's first word ("contoso"); KeyError if this world has no such tenant."""
        found = self.find(name)
        if found is None:
            found = next((tenant for tenant in self.tenants.values() if name in (tenant.name, tenant.slug)), None)
        if found is None:
            raise KeyError(name)
        return found

    def find(self, tenant: str) -> Tenant | None:
        """By id or domain, as a URL of Entra's names it."""
        return self.tenants.get(tenant.lower()) or self._domains.get(tenant.lower())

    # What happens to incidents

    def new_incident(self, tenant: Tenant, overrides: Raw | None = None) -> Raw:
        """A new incident arrives now; `overrides` replaces fields, also with nonsense, except what would break it."""
        with self.lock:
            raw = make_incident(
                self.rng,
                tenant.estate,
                tenant_id=tenant.tenant_id,
                incident_id=tenant.book.next_id(),
                at=self.clock.ticks(),
            )
            raw |= overrides or {}
            _check_storable(raw)
            return self._noted(tenant, tenant.book.put(raw, written=self.clock.ticks()).raw)

    def change_incident(self, tenant: Tenant, incident_id: int, fields: Raw | None = None) -> Raw:
        """Something changes now, as by a person in the Defender portal. KeyError for an unknown incident.

        With `fields` exactly those are set; without, something plausible happens.
        """
        with self.lock:
            if fields:
                current = tenant.book.get(incident_id)
                _check_storable((current.raw if current else {}) | {"incidentId": incident_id} | fields, incident_id)
            edit = changes.setting(fields) if fields else changes.plausible(self.rng, tenant)
            return self._changed(tenant, incident_id, edit)

    def change_together(self, tenant: Tenant, incident_ids: Sequence[int]) -> None:
        """A bulk change: something plausible happens to each, and all have the very same time. KeyError."""
        with self.lock:
            now = self.clock.ticks()
            for number in incident_ids:
                edit = changes.dated(changes.plausible(self.rng, tenant), now)
                self._noted(tenant, tenant.book.change(number, edit, written=now).raw)

    def patch_incident(self, tenant: Tenant, incident_id: int, edit: changes.Edit) -> Raw:
        """Apply an edit made by the API. KeyError for an unknown incident."""
        with self.lock:
            return self._changed(tenant, incident_id, edit)

    def merge(self, tenant: Tenant, source: int, target: int) -> Raw:
        """`source` is merged into `target`: its alerts and tags move, a redirected shell stays. Returns the target."""
        with self.lock:
            if source not in tenant.book or target not in tenant.book:
                raise KeyError(source if source not in tenant.book else target)
            if source == target:
                raise ValueError("An incident cannot be merged into itself.")
            alerts, tags = changes.what_moves(tenant.book, source)
            self._changed(tenant, source, changes.become_shell(target))
            return self._changed(tenant, target, changes.receive(alerts, tags, target))

    def silent_change(self, tenant: Tenant, incident_id: int) -> Raw:
        """An alert of it changes and its own lastUpdateTime does not, as with about one real alert in fifteen."""
        with self.lock:
            edit = changes.silent(self.rng)
            return self._noted(tenant, tenant.book.change(incident_id, edit, written=self.clock.ticks()).raw)

    def move_alert(self, tenant: Tenant, source: int, target: int) -> Raw:
        """The last alert of `source` goes over to `target`; both get a new time. Returns the target."""
        with self.lock:
            alerts = changes.what_moves(tenant.book, source)[0][-1:]
            if source == target or target not in tenant.book:
                raise KeyError(target)
            self._changed(tenant, source, changes.lose(alerts))
            return self._changed(tenant, target, changes.receive(alerts, [], target))

    def vanish(self, tenant: Tenant, incident_id: int) -> None:
        """Microsoft no longer has it. KeyError for an unknown incident."""
        with self.lock:
            if incident_id not in tenant.book:
                raise KeyError(incident_id)
            tenant.book.remove(incident_id)
            if self.journal:
                gone = {"what": "incident", "tenant": tenant.tenant_id, "raw": {"incidentId": incident_id}}
                self.journal(gone | {"is_gone": True})

    def poison_incident(self, tenant: Tenant, incident_id: int, way: str) -> None:
        """It is served spoiled from now on, in one of `sandbox.poison.WAYS`. KeyError, ValueError."""
        if way not in WAYS:
            raise ValueError(f"There is no way {way!r} to poison; there are {', '.join(WAYS)}.")
        tenant.book.poison(incident_id, way)

    def _changed(self, tenant: Tenant, incident_id: int, edit: changes.Edit) -> Raw:
        now = self.clock.ticks()
        return self._noted(tenant, tenant.book.change(incident_id, changes.dated(edit, now), written=now).raw)

    def _noted(self, tenant: Tenant, raw: Raw) -> Raw:
        if self.journal:
            self.journal({"what": "incident", "tenant": tenant.tenant_id, "raw": raw})
        return raw

    def _note_consent(self, tenant: Tenant) -> None:
        if self.journal:
            shown: dict[str, Any] = {"licence": tenant.licence, "manner": tenant.manner}
            shown |= {"was_installed": tenant.was_installed, "principal": _written(tenant.principal)}
            self.journal({"what": "consent", "tenant": tenant.tenant_id} | shown)

    def truth(self, tenant: Tenant) -> dict[int, Raw]:
        """{incident id: the object exactly as served now}."""
        return tenant.book.truth()

    # What happens to consent

    def approve(
        self, tenant: Tenant, *, roles: Sequence[str] | None = None, resources: Sequence[Resource] | None = None
    ) -> None:
        """An administrator consents: exactly `roles`, or what is asked for these resources, or everything asked.

        Naming a resource replaces the grants of that one only; otherwise all are replaced, as with Entra.
        """
        with self.lock:
            principal = tenant.principal or self._installed(tenant)
            if roles is not None:
                principal.grants = _by_resource(roles)
            elif resources is not None:
                principal.grants |= {one.key: set(self.registration.asks(one)) for one in resources}
            else:
                principal.grants = {one.key: set(self.registration.asks(one)) for one in RESOURCES}
            principal.enabled = True
            principal.effective_at = self.clock.ticks() + round(tenant.consent_delay * SECOND)
            self._note_consent(tenant)

    def _installed(self, tenant: Tenant) -> ServicePrincipal:
        tenant.installs += 1
        object_id = uuid.uuid5(cast.NAMESPACE, f"{self.seed}:{tenant.tenant_id}:{tenant.installs}")
        tenant.principal, tenant.was_installed = ServicePrincipal(str(object_id)), True
        return tenant.principal

    def revoke(self, tenant: Tenant) -> None:
        """The customer deletes the enterprise application. Tokens already out stay good until they expire."""
        with self.lock:
            tenant.principal = None
            self._note_consent(tenant)

    def set_state(self, tenant: Tenant, state: str) -> None:
        """Put a tenant into one of `cast.STATES`. ValueError for another word."""
        if state not in cast.STATES:
            raise ValueError(f"unknown state {state!r}; known: {', '.join(cast.STATES)}")
        with self.lock:
            tenant.licence = {cast.NO_LICENCE: "none", cast.LAPSED: "lapsed"}.get(state, "active")
            tenant.manner = state if state in (cast.SLOW, cast.THROTTLING) else "plain"
            tenant.principal = None
            tenant.was_installed = state == cast.REVOKED
            if state not in (cast.PENDING, cast.REVOKED, cast.NO_LICENCE):
                self._grant_for(tenant, state)
            self._note_consent(tenant)

    def _grant_for(self, tenant: Tenant, state: str) -> None:
        principal = self._installed(tenant)
        principal.grants = {one.key: set(self.registration.asks(one)) for one in RESOURCES}
        principal.enabled = state != cast.DISABLED
        if state == cast.ROLE_MISSING:
            principal.grants[XDR.key] = set()
        if state == cast.REVIEW:
            principal.grants = {key: roles | EXTRA_ROLES.get(key, set()) for key, roles in principal.grants.items()}

    # Shortcuts that tests read well with

    def register_certificate(self, pem_or_der: str | bytes) -> str:
        """Trust a certificate for client assertions; returns its x5t#S256. ValueError if it is none."""
        return self.registration.register_certificate(pem_or_der)

    def advance(self, *, seconds: float) -> None:
        """Move the world's time forward. ValueError for a step back."""
        self.clock.advance(seconds=seconds)
        if self.journal:
            self.journal({"what": "clock", "ahead": seconds})

    def describe(self, tenant: Tenant) -> dict[str, Any]:
        """One row of the cast for the control page and its API. ``incidents`` is None until they were first needed."""
        active = [fault.kind for fault in self.faults.active(tenant.tenant_id)]
        grants = {key: sorted(roles) for key, roles in tenant.principal.grants.items()} if tenant.principal else {}
        who = {"id": tenant.tenant_id, "name": tenant.name, "domain": tenant.domain, "state": tenant.state}
        return who | {"incidents": len(tenant.book) if tenant.is_made else None, "grants": grants, "faults": active}


def _check_storable(raw: Raw, incident_id: int | None = None) -> None:
    """Nonsense is welcome except where the casebook itself would break: number, status, the two times."""
    number = raw.get("incidentId")
    if not isinstance(number, int) or isinstance(number, bool) or incident_id not in (None, number):
        raise ValueError("incidentId must stay the incident's own whole number.")
    for name in ("status", "createdTime", "lastUpdateTime"):
        if not isinstance(raw.get(name), str):
            raise ValueError(f"{name} must be text.")
    for name in ("createdTime", "lastUpdateTime"):
        ticks_of(raw[name])


def _written(principal: ServicePrincipal | None) -> dict[str, Any] | None:
    """A service principal as JSON."""
    if principal is None:
        return None
    grants = {key: sorted(roles) for key, roles in principal.grants.items()}
    shown: dict[str, Any] = {"object_id": principal.object_id, "enabled": principal.enabled, "grants": grants}
    return shown | {"effective_at": principal.effective_at}


def _by_resource(roles: Sequence[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for role in roles:
        resource = resource_of_role(role)
        if resource is None:
            raise ValueError(f"no API knows the role {role!r}")
        found.setdefault(resource.key, set()).add(role)
    return found
