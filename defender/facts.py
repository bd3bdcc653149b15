"""What Entra ID wrote into an access token, read without trusting it.

Microsoft says that a client must treat a token for somebody else's API as opaque: only the API can validate it, and its
form may change. So the signature is not checked here and nothing is ever allowed because of these facts. They serve two
ends: to refuse a token that names another tenant, app or API than we asked for (a bug or a mix-up in a cache, caught
before the first use), and to show which roles were granted. A token that cannot be read is not an error: its roles are
unknown and a live read decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import jwt

from defender.clouds import RESOURCES, Resource
from defender.errors import WrongToken

# Longer tokens are not looked into, and no more roles or characters of a claim are kept than these. Ours.
_LONGEST_TOKEN: Final = 64 * 1024
_MOST_ROLES: Final = 500
_LONGEST_CLAIM: Final = 256


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """Claims of one token; None or empty where the token does not say. `roles` is meaningless unless `readable`."""

    readable: bool
    audience: str | None = None
    issuer: str | None = None
    tenant_id: UUID | None = None
    app_id: UUID | None = None
    roles: tuple[str, ...] = ()
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    version: str | None = None

    def check(self, *, tenant_id: UUID, app_id: UUID, resource: Resource | None = None) -> None:
        """Raises WrongToken where a claim names something else than expected. A claim that is absent proves nothing."""
        wrong = [
            name
            for name, found, expected in (("tid", self.tenant_id, tenant_id), ("appid", self.app_id, app_id))
            if found is not None and found != expected
        ]
        if resource is not None and self._names_another(resource):
            wrong.append("aud")
        if wrong:
            raise WrongToken(
                f"Entra ID's token names something else than was asked for ({', '.join(wrong)}); it was thrown away.",
                step="Report this: a token of another tenant, app or API must never reach the portal.",
                code="wrong-token",
                details={"claims": ", ".join(wrong), "expected_tenant": str(tenant_id)},
            )

    def _names_another(self, resource: Resource) -> bool:
        """Only a *known other* API counts: which spelling an API uses for itself is not documented."""
        audience = (self.audience or "").rstrip("/").lower()
        return any(audience in other.names for other in RESOURCES if other != resource)


def read_facts(token: str) -> TokenFacts:
    """The facts of a token, or `readable=False`. Never raises, whatever the token holds."""
    claims = _claims(token)
    if claims is None:
        return TokenFacts(readable=False)
    return TokenFacts(
        readable=True,
        audience=_text(claims.get("aud")),
        issuer=_text(claims.get("iss")),
        tenant_id=_guid(claims.get("tid")),
        app_id=_guid(claims.get("appid")) or _guid(claims.get("azp")),
        roles=_roles(claims.get("roles")),
        issued_at=_instant(claims.get("iat")),
        expires_at=_instant(claims.get("exp")),
        version=_text(claims.get("ver")),
    )


def _claims(token: str) -> Mapping[str, Any] | None:
    if len(token) > _LONGEST_TOKEN or token.count(".") != 2:
        return None
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, RecursionError, ValueError, TypeError, AttributeError):
        return None
    return claims if isinstance(claims, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _LONGEST_CLAIM else None


def _guid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) and len(value) == 36 else None
    except ValueError:
        return None


def _roles(value: object) -> tuple[str, ...]:
    roles = value if isinstance(value, list) else [value]
    return tuple(sorted({role for role in map(_text, roles[:_MOST_ROLES]) if role and role.isprintable()}))


def _instant(value: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else None
    except (ValueError, OverflowError, OSError):
        return None
