"""Consent links, and one app-only token per tenant and API.

Tokens live in this process's memory and nowhere else. A warm token is a look-up in a dict of our own; below it, MSAL
keeps one application object per tenant, because its authority cannot be changed per call and because two tenants must
never share a cache. Each (tenant, API) has a lock, so that many threads asking at once cause one request.
"""

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import quote, urlencode
from uuid import UUID

import msal

from defender.clouds import XDR, Cloud, Resource
from defender.credentials import Certificate, ClientSecret, Credential, Federated, NeverWrittenDown, load_credential
from defender.errors import CredentialFault, DefenderError, Throttled, Transient, WrongToken
from defender.facts import TokenFacts, read_facts
from defender.msal_http import MsalHttp
from defender.rotation import Rotation
from defender.transport import Transport

__all__ = [
    "AccessToken",
    "Certificate",
    "ClientSecret",
    "Credential",
    "Federated",
    "TokenFacts",
    "TokenSource",
    "admin_consent_url",
    "load_credential",
]

# A token is renewed this long before it ends, spread so that tenants do not renew together. MSAL itself hands out the
# cached token again while 300 s are left, so the margin has to stay below that.
_MARGIN: Final = (200.0, 290.0)
# An application object and its tokens take about 20 KB.
TENANTS_KEPT: Final = 2000


def admin_consent_url(
    cloud: Cloud,
    *,
    tenant_id: UUID,
    client_id: UUID,
    redirect_uri: str,
    state: str,
    form: Literal["v2", "v1"] = "v2",
    resource: Resource = XDR,
) -> str:
    """Microsoft's consent page of one tenant, never of `common`: another tenant's admin must not consent by mistake.

    v2 consents to the application permissions of one API; v1 to everything the registration lists, on all APIs at once.
    """
    query = {"client_id": str(client_id), "redirect_uri": redirect_uri, "state": state}
    if form == "v2":
        query["scope"] = cloud.scope(resource)
    path = "/v2.0/adminconsent" if form == "v2" else "/adminconsent"
    return f"{cloud.browser_login}/{UUID(str(tenant_id))}{path}?{urlencode(query, quote_via=quote)}"


@dataclass(frozen=True, slots=True)
class AccessToken(NeverWrittenDown):
    """A bearer token, when it ends, and what Entra ID wrote into it."""

    value: str = field(repr=False)
    expires_at: datetime
    facts: TokenFacts


@dataclass(slots=True)
class _Held:
    """The token of one (tenant, API) and when to stop using it, on the monotonic clock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: AccessToken | None = None
    renew_at: float = 0.0
    wait_until: float = 0.0

    def usable(self, now: float) -> AccessToken | None:
        return self.token if now < self.renew_at else None


@dataclass(slots=True)
class _Tenant:
    lock: threading.Lock = field(default_factory=threading.Lock)
    app: Any = None
    credential: Credential | None = None  # the app's
    held: dict[str, _Held] = field(default_factory=dict)


class TokenSource:
    """Tokens of one partner app in one cloud. Safe for many threads; `kept` tenants stay in memory at most.

    Of several live credentials (see `defender.rotation`) the newest that Entra ID takes is used.

    `guard` is entered around every request to Entra ID: whoever runs many tenants may refuse there, with an error of
    `defender.errors`, while it is known that all would be refused.
    """

    def __init__(
        self,
        cloud: Cloud,
        client_id: UUID,
        credential: Credential | Rotation,
        transport: Transport,
        *,
        kept: int = TENANTS_KEPT,
        guard: Callable[[], AbstractContextManager[None]] = nullcontext,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._cloud = cloud
        self._client_id = UUID(str(client_id))
        self._rotation = credential if isinstance(credential, Rotation) else Rotation.of(credential)
        self._http = MsalHttp(transport)
        self._kept = kept
        self._guard = guard
        self._clock = clock
        self._tenants: OrderedDict[UUID, _Tenant] = OrderedDict()
        self._lock = threading.Lock()

    def token(
        self,
        tenant_id: UUID,
        resource: Resource = XDR,
        *,
        fresh: bool = False,
        instead_of: AccessToken | None = None,
    ) -> AccessToken:
        """A token that is good for some minutes at least.

        `fresh` asks Entra ID anew, past everything remembered: right after a consent, or when an API refused a token.
        With `instead_of`, a token that another thread fetched since then is fresh enough.
        Raises Throttled, Transient, ConsentMissing, CredentialFault, ResourceMissing, TenantUnknown, Forbidden,
        Rejected and WrongToken.
        """
        tenant = self._tenant(tenant_id)
        held = self._held(tenant, resource)
        token = held.usable(self._clock())
        if token is not None and not fresh:
            return token
        with held.lock:
            token = held.usable(self._clock())
            if token is not None and (not fresh or (instead_of is not None and token is not instead_of)):
                return token
            return self._renew(tenant, held, tenant_id, resource, fresh=fresh)

    def forget(self, tenant_id: UUID) -> None:
        """Drop everything held for one tenant."""
        with self._lock:
            self._tenants.pop(tenant_id, None)

    def __repr__(self) -> str:
        return f"TokenSource(cloud={self._cloud.name!r}, client_id={str(self._client_id)!r})"

    def _tenant(self, tenant_id: UUID) -> _Tenant:
        with self._lock:
            tenant = self._tenants.get(tenant_id)
            if tenant is None:
                tenant = self._tenants[tenant_id] = _Tenant()
                if len(self._tenants) > self._kept:
                    self._tenants.popitem(last=False)
            else:
                self._tenants.move_to_end(tenant_id)
            return tenant

    @staticmethod
    def _held(tenant: _Tenant, resource: Resource) -> _Held:
        held = tenant.held.get(resource.key)
        if held is None:
            with tenant.lock:
                held = tenant.held.setdefault(resource.key, _Held())
        return held

    def _renew(self, tenant: _Tenant, held: _Held, tenant_id: UUID, resource: Resource, *, fresh: bool) -> AccessToken:
        self._refuse_while_waiting(held)
        if fresh:
            held.token = None
        try:
            with self._guard():
                token, lifetime = self._ask(tenant, tenant_id, resource, fresh=fresh)
        except Throttled as error:
            if error.code.startswith("http-"):  # Entra ID's own wish; the gate and the budget look by themselves
                held.wait_until = self._clock() + (error.retry_after or 0.0)
            raise
        self._refuse_wrong(tenant, token, tenant_id, resource)
        held.token = token
        held.renew_at = self._clock() + lifetime - min(random.uniform(*_MARGIN), lifetime / 2)  # noqa: S311
        return token

    def _ask(self, tenant: _Tenant, tenant_id: UUID, resource: Resource, *, fresh: bool) -> tuple[AccessToken, float]:
        """With each live credential in turn, until one is taken; the newest one's refusal is raised where none is."""
        refusal: CredentialFault | None = None
        for credential in self._rotation.candidates():
            try:
                asked = self._acquire(self._app(tenant, tenant_id, credential, fresh=fresh), resource)
            except CredentialFault as fault:
                self._rotation.refused(credential, fault)
                refusal = refusal or fault
            else:
                self._rotation.accepted(credential)
                return asked
        assert refusal is not None  # noqa: S101  candidates() is never empty
        raise refusal

    def _refuse_wrong(self, tenant: _Tenant, token: AccessToken, tenant_id: UUID, resource: Resource) -> None:
        """Fails closed on a token of another tenant, app or API, and forgets where it came from."""
        try:
            token.facts.check(tenant_id=tenant_id, app_id=self._client_id, resource=resource)
        except WrongToken:
            tenant.app = None
            raise

    def _refuse_while_waiting(self, held: _Held) -> None:
        left = held.wait_until - self._clock()
        if left > 0:
            sentence = "Entra ID asks for fewer requests at the moment."
            raise Throttled(sentence, code="http-429", retry_after=max(left, 1.0))

    def _app(self, tenant: _Tenant, tenant_id: UUID, credential: Credential, *, fresh: bool) -> Any:
        """MSAL's application for one tenant. Making it asks for the tenant's endpoints, hence the tenant's own lock."""
        with tenant.lock:
            if tenant.app is None or fresh or tenant.credential is not credential:
                tenant.app = None
                tenant.app = guarded(lambda: self._new_app(tenant_id, credential))
                tenant.credential = credential
            return tenant.app

    def _new_app(self, tenant_id: UUID, credential: Credential) -> Any:
        return msal.ConfidentialClientApplication(
            str(self._client_id),
            client_credential=credential.for_msal(),
            authority=f"{self._cloud.authority}/{tenant_id}",
            # The host is one we configured: nobody has to be asked about it. Regional hosts are Microsoft's own, and
            # only False keeps an environment variable from choosing one.
            instance_discovery=False,
            azure_region=False,
            http_client=self._http,
        )

    def _acquire(self, app: Any, resource: Resource) -> tuple[AccessToken, float]:
        scope = self._cloud.scope(resource)
        result = guarded(lambda: app.acquire_token_for_client(scopes=[scope]))
        value, lifetime = result.get("access_token"), result.get("expires_in")
        if not isinstance(value, str) or not isinstance(lifetime, int | float):
            raise _unexpected("KeyError")
        expires_at = datetime.now(UTC) + timedelta(seconds=lifetime)
        return AccessToken(value, expires_at, read_facts(value)), float(lifetime)


def guarded(call: Callable[[], Any]) -> Any:
    """What MSAL returns. Our own errors pass through it; what it raises itself about an answer's shape is Transient."""
    try:
        return call()
    except DefenderError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        kind = type(error).__name__
    # Raised after the handler, so that MSAL's exception and the objects it refers to are not kept.
    raise _unexpected(kind)


def _unexpected(kind: str) -> DefenderError:
    return Transient("Entra ID's answer was not of the form expected.", code="entra-shape", details={"kind": kind})
