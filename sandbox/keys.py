"""Entra's signing keys: one that signs, all that were ever published still verify."""

import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID


def base64url(data: bytes) -> str:
    """Base64url without padding, as JWTs write it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass(frozen=True)
class SigningKey:
    """One RSA key pair and the names under which it is published."""

    private: rsa.RSAPrivateKey

    @cached_property
    def certificate(self) -> bytes:
        """A self-signed certificate (DER) around the key, as the x5c entry of a key set has."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox token signing")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(name, name, self.private.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=3650))
        return builder.sign(self.private, hashes.SHA256()).public_bytes(Encoding.DER)

    @cached_property
    def kid(self) -> str:
        """Its name in token headers and key sets."""
        # The thumbprint form Entra uses for kid and x5t; SHA-1 names the key here and protects nothing.
        return base64url(hashlib.sha1(self.certificate, usedforsecurity=False).digest())

    def jwk(self) -> dict[str, object]:
        """The public half as a JSON Web Key."""
        numbers = self.private.public_key().public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        shape: dict[str, object] = {"kty": "RSA", "use": "sig", "kid": self.kid, "x5t": self.kid}
        shape |= {"n": base64url(modulus), "e": base64url(numbers.e.to_bytes(3, "big"))}
        return shape | {"x5c": [base64.b64encode(self.certificate).decode()]}


class Keys:
    """The keys of one world, the signing one last."""

    def __init__(self) -> None:
        self._keys = [_first_key()]

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return self._keys[-1]

    def rotate(self) -> None:
        """Sign with a new key from now on; tokens signed before stay valid."""
        self._keys.append(new_key())

    def named(self, kid: str) -> SigningKey | None:
        """The key of that name, or None."""
        return next((key for key in self._keys if key.kid == kid), None)

    def jwks(self, issuer: str | None = None) -> dict[str, list[dict[str, object]]]:
        """The key set, each key with `issuer` where one is given."""
        extra: dict[str, object] = {"issuer": issuer} if issuer else {}
        return {"keys": [key.jwk() | extra for key in self._keys]}


def new_key() -> SigningKey:
    """A fresh RSA key of 2,048 bits."""
    return SigningKey(rsa.generate_private_key(public_exponent=65537, key_size=2048))


@cache
def _first_key() -> SigningKey:
    """Every world of a process begins with the same key: making one takes longer than a whole world of tenants."""
    return new_key()
