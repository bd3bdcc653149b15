"""Application tokens in Entra's version 1.0 format: made for one tenant and one API, read back by that API."""

import hashlib
import random
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import jwt

from sandbox.cast import ServicePrincipal, Tenant
from sandbox.keys import Keys, base64url
from sandbox.moments import Clock
from sandbox.registration import Registration

# Entra draws a lifetime between 60 and 90 minutes for each token.
SHORTEST, LONGEST = 3600, 5400
_REMEMBERED = 20_000


@dataclass(frozen=True)
class Caller:
    """Who a bearer token says is calling."""

    tenant_id: str
    app_id: str
    audience: str
    roles: frozenset[str]
    expires: float


class NotAToken(Exception):
    """The bearer token was not made here, was changed, or is over."""


@dataclass
class Tokens:
    """Issues and reads the tokens of one world."""

    keys: Keys
    clock: Clock
    rng: random.Random
    _opaque: dict[str, dict[str, Any]] = field(default_factory=dict)
    _read: "OrderedDict[str, Caller]" = field(default_factory=OrderedDict)

    def claims(
        self, registration: Registration, tenant: Tenant, audience: str, roles: list[str], acr: str
    ) -> dict[str, Any]:
        """The payload. `roles` is absent, not empty, when nothing is granted."""
        now = int(self.clock.seconds())
        object_id = tenant.principal.object_id if tenant.principal else tenant.tenant_id
        issuer = f"https://sts.windows.net/{tenant.tenant_id}/"
        found: dict[str, Any] = {"aud": audience, "iss": issuer, "iat": now, "nbf": now}
        found |= {"exp": now + self.rng.randint(SHORTEST, LONGEST), "aio": base64url(secrets.token_bytes(24))}
        found |= {"appid": registration.client_id, "appidacr": acr, "idp": issuer, "oid": object_id}
        found |= {"rh": f"0.{base64url(secrets.token_bytes(20))}."} | ({"roles": sorted(roles)} if roles else {})
        found |= {"sub": object_id, "tenant_region_scope": "WW", "tid": tenant.tenant_id}
        return found | {"uti": base64url(secrets.token_bytes(16)), "ver": "1.0"}

    def sign(self, claims: dict[str, Any]) -> str:
        """The claims as a signed JWT."""
        key = self.keys.current
        return jwt.encode(claims, key.private, algorithm="RS256", headers={"kid": key.kid, "x5t": key.kid})

    def opaque(self, claims: dict[str, Any]) -> str:
        """A token that cannot be decoded by anyone but this API, as Microsoft reserves the right to issue."""
        token = f"EwB{secrets.token_urlsafe(600)}"
        self._opaque[token] = claims
        return token

    def read(self, token: str) -> Caller:
        """Who is calling; `NotAToken` if the signature, the issuer or the time is wrong."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        caller = self._read.get(digest)
        if caller is None:
            caller = self._read[digest] = _caller(self._opaque.get(token) or self._verified(token))
            while len(self._read) > _REMEMBERED:
                self._read.popitem(last=False)
        if self.clock.seconds() >= caller.expires:
            raise NotAToken("the token has expired")
        return caller

    def _verified(self, token: str) -> dict[str, Any]:
        try:
            key = self.keys.named(str(jwt.get_unverified_header(token).get("kid")))
            if key is None:
                raise NotAToken("signed by an unknown key")
            options: Any = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
            return jwt.decode(token, key.private.public_key(), algorithms=["RS256"], options=options)
        except jwt.PyJWTError as error:
            raise NotAToken(str(error)) from error


def _caller(claims: dict[str, Any]) -> Caller:
    roles = frozenset(claims.get("roles", ()))
    return Caller(claims["tid"], claims["appid"], claims["aud"], roles, claims["exp"])


def granted(principal: ServicePrincipal, resource: str, *, now: int) -> list[str]:
    """The roles that count already; a consent that is still spreading gives none."""
    return sorted(principal.grants.get(resource, ())) if now >= principal.effective_at else []
