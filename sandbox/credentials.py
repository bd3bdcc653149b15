"""Does the caller of the token endpoint prove to be the registered application? Secret, certificate, or federation."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from sandbox.refusals import Refused
from sandbox.registration import Registration

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ALGORITHMS = ["PS256", "RS256"]
# Entra tolerates a few minutes between two clocks; so does this one.
_LEEWAY = 300


def from_basic(header: str) -> dict[str, str]:
    """client_id and client_secret of an HTTP Basic header, or nothing."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return {}
    return {"client_id": unquote_plus(name), "client_secret": unquote_plus(secret)}


def prove(registration: Registration, form: Mapping[str, str], *, audiences: set[str], now: float) -> str:
    """The token's `appidacr`: "1" for a secret, "2" for an assertion. `Refused` when the proof fails."""
    if form.get("client_assertion"):
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise Refused(900144, "The request body must contain the parameter 'client_assertion_type'.")
        _check_assertion(registration, form["client_assertion"], audiences, now)
        return "2"
    if not form.get("client_secret"):
        raise Refused(7000218, "The request must contain 'client_assertion' or 'client_secret'.")
    secret = registration.secret_named(form["client_secret"])
    if secret is None:
        app = registration.client_id
        raise Refused(7000215, f"Invalid client secret: send the secret's value, not its ID, for app '{app}'.")
    if secret.expired:
        raise Refused(7000222, f"The client secrets of app '{registration.client_id}' have expired.")
    return "1"


def _check_assertion(registration: Registration, assertion: str, audiences: set[str], now: float) -> None:
    try:
        header = jwt.get_unverified_header(assertion)
        issuer = jwt.decode(assertion, options={"verify_signature": False}).get("iss")
        if issuer in registration.issuers:
            return _check_federated(registration, assertion, now)
        certificate = registration.certificate_named(header)
        if certificate is None:
            raise Refused(700027, "The certificate with the given thumbprint is not registered on the application.")
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            raise Refused(700027, "The registered key is not an RSA key.")
        claims = _claims(assertion, key, audiences)
    except jwt.PyJWTError as error:
        raise Refused(700027, f"Client assertion failed signature or claim validation ({error}).") from error
    if claims["iss"] != registration.client_id or claims["sub"] != registration.client_id:
        raise Refused(700027, "Client assertion: 'iss' and 'sub' must both be the client id.")
    _check_times(claims, now)
    return None


def _check_federated(registration: Registration, assertion: str, now: float) -> None:
    """A statement of a trusted issuer: its key, its audience, and the subject when one was fixed."""
    unverified = jwt.decode(assertion, options={"verify_signature": False})
    trusted = registration.issuers[unverified["iss"]]
    claims = _claims(assertion, trusted.key, {trusted.audience})
    if trusted.subject not in (None, claims["sub"]):
        raise Refused(700027, "No federated credential matches the assertion's subject.")
    _check_times(claims, now)


def _claims(assertion: str, key: RSAPublicKey | str, audiences: set[str]) -> dict[str, Any]:
    # Times are checked against the world's clock, which PyJWT does not know.
    options: Any = {
        "verify_exp": False,
        "verify_nbf": False,
        "verify_iat": False,
        "require": ["exp", "iss", "sub", "aud"],
    }
    return jwt.decode(assertion, key, algorithms=_ALGORITHMS, audience=list(audiences), options=options)


def _check_times(claims: dict[str, Any], now: float) -> None:
    if not claims.get("nbf", 0) - _LEEWAY <= now < claims["exp"] + _LEEWAY:
        raise Refused(700024, "Client assertion is not within its valid time range.")
