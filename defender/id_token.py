"""Is this ID token one that the home tenant's Entra ID made, just now, for this sign-in to this app?

MSAL decodes ID tokens and checks nothing about them any more, so everything is checked here. The contract: `read`
returns the claims only if the token is signed with RS256 by a key that the home tenant publishes itself, and issuer,
audience, tenant, times, nonce and the ids of the person are exactly what they must be. Nothing that the token says
about where its key may be found is followed. Anything else raises WrongToken, whose code names the first thing that was
wrong and whose text never repeats a part of the token.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from defender.errors import WrongToken, plain

# How far two clocks may be apart, and how long an ID token may live at all: both are ours; Entra ID's live an hour.
LEEWAY: Final = 60
_LONGEST_LIFE: Final = 24 * 3600
# ID tokens are below 4 KB; the cap is ours, and so is the one on roles and names.
_LONGEST_TOKEN: Final = 64 * 1024
_MOST_VALUES: Final = 200
_LONGEST_NAME: Final = 200
_FORM: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# Headers that bring or name a key of the sender's own, or ask for rules we do not know.
_FOREIGN_HEADERS: Final = ("jku", "jwk", "x5u", "x5c", "crit", "enc", "zip", "b64", "cty")
# What access tokens carry and ID tokens never do.
_OF_ACCESS_TOKENS: Final = ("scp", "idtyp", "appid", "appidacr", "azpacr")
_NOBODY: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token has to say: our app, our home tenant, and the nonce that this sign-in was begun with."""

    client_id: UUID
    tenant_id: UUID
    issuer: str
    nonce: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed in. The key is (`tenant_id`, `object_id`); `name` is for show and may change or repeat.

    `methods` are the values of `amr`, `contexts` those of `acrs`; `authenticated_at` is in epoch seconds, if told.
    """

    tenant_id: UUID
    object_id: UUID
    name: str
    roles: frozenset[str]
    is_guest: bool
    methods: frozenset[str]
    contexts: frozenset[str]
    authenticated_at: int | None


def read(token: object, *, key_named: Callable[[str], RSAPublicKey | None], expected: Expected, now: float) -> Identity:
    """The person whom a valid token names; WrongToken for any other. `now` is in epoch seconds."""
    claims = _signed_claims(_text_of(token), key_named)
    _check_kind(claims)
    _check_origin(claims, expected)
    _check_times(claims, now)
    if not hmac.compare_digest(_text(claims, "nonce").encode(), expected.nonce.encode()) or not expected.nonce:
        raise wrong("nonce")
    return _identity(claims, expected)


def wrong(what: str) -> WrongToken:
    """The refusal; `what` is one word for logs."""
    return WrongToken("The sign-in was not proved by Entra ID's answer; it was thrown away.", code=f"id-token-{what}")


def _text_of(token: object) -> str:
    if not isinstance(token, str) or len(token) > _LONGEST_TOKEN or not _FORM.fullmatch(token):
        raise wrong("form")
    return token


def _signed_claims(token: str, key_named: Callable[[str], RSAPublicKey | None]) -> Mapping[str, Any]:
    """The payload after the signature has been checked, and nothing else yet."""
    kid = _kid(_header(token))
    key = key_named(kid)
    if key is None:
        raise wrong("key")
    # Times, audience and issuer are compared below, without the tolerance that the library has for odd types.
    options: Any = {f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")}
    try:
        claims = jwt.decode(token, key, algorithms=["RS256"], options=options | {"verify_signature": True})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        claims = None
    if not isinstance(claims, dict):
        raise wrong("signature")
    return claims


def _header(token: str) -> Mapping[str, Any]:
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        header = {}
    if header.get("alg") != "RS256":
        raise wrong("algorithm")
    if header.get("typ", "JWT") != "JWT" or any(name in header for name in _FOREIGN_HEADERS):
        raise wrong("header")
    return header


def _kid(header: Mapping[str, Any]) -> str:
    kid = header.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= 128:
        raise wrong("key")
    return kid


def _check_kind(claims: Mapping[str, Any]) -> None:
    """An ID token of the second version, not an access token that the same key has signed."""
    if _text(claims, "ver") != "2.0" or any(name in claims for name in _OF_ACCESS_TOKENS):
        raise wrong("kind")


def _check_origin(claims: Mapping[str, Any], expected: Expected) -> None:
    if _text(claims, "iss") != expected.issuer:
        raise wrong("issuer")
    # A list of audiences is legal and never sent to us; one that names others too is not meant for us alone.
    if _text(claims, "aud") != str(expected.client_id) or claims.get("azp", str(expected.client_id)) != str(
        expected.client_id
    ):
        raise wrong("audience")
    if _guid(claims, "tid") != expected.tenant_id:
        raise wrong("tenant")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    issued, begins, ends = (_seconds(claims, name) for name in ("iat", "nbf", "exp"))
    if ends + LEEWAY <= now:
        raise wrong("expired")
    if max(issued, begins) - LEEWAY > now:
        raise wrong("early")
    if ends - issued > _LONGEST_LIFE:
        raise wrong("life")


def _identity(claims: Mapping[str, Any], expected: Expected) -> Identity:
    object_id = _guid(claims, "oid")
    if object_id == _NOBODY or not _text(claims, "sub"):
        raise wrong("person")
    told = claims.get("auth_time")
    return Identity(
        tenant_id=expected.tenant_id,
        object_id=object_id,
        name=_name(claims) or f"Person {str(object_id)[:8]}",
        roles=_values(claims, "roles"),
        is_guest=_is_guest(claims, expected),
        methods=_values(claims, "amr"),
        contexts=_values(claims, "acrs"),
        authenticated_at=told if isinstance(told, int) and not isinstance(told, bool) else None,
    )


def _is_guest(claims: Mapping[str, Any], expected: Expected) -> bool:
    """Entra ID names the identity provider where it is not the tenant itself; `acct` 1 is an optional claim."""
    provider = claims.get("idp", expected.issuer)
    own = {expected.issuer, f"https://sts.windows.net/{expected.tenant_id}/"}
    return not isinstance(provider, str) or provider not in own or claims.get("acct", 0) not in (0, "0")


def _name(claims: Mapping[str, Any]) -> str:
    shown = claims.get("name")
    return plain(shown.strip(), _LONGEST_NAME) if isinstance(shown, str) else ""


def _values(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """A claim that is a list of words. Any other form counts as nothing said."""
    found = claims.get(name)
    listed = found[:_MOST_VALUES] if isinstance(found, list) else []
    return frozenset(value for value in listed if isinstance(value, str))


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) and value.isprintable() and len(value) <= 512 else ""


def _guid(claims: Mapping[str, Any], name: str) -> UUID:
    text = _text(claims, name)
    try:
        return UUID(text) if len(text) == 36 else _NOBODY
    except ValueError:
        return _NOBODY


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong("times")
    return value
