"""Ed25519 signatures over what leaves the database: anchors and sealed segments.

Whoever holds the private key can vouch for a chain, so it belongs to workers and to the owner's commands, never to the
web process. Whoever checks needs public keys only.
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PublicKeys = Mapping[str, Ed25519PublicKey]  # by fingerprint
_END = "-----END PUBLIC KEY-----"


class NoKey(Exception):
    """There is no usable key; the sentence says what to do."""


def private_key(pem: str) -> Ed25519PrivateKey:
    """The signing key. Raises NoKey where there is none or it is of another kind; its text is in no message."""
    if not pem:
        raise NoKey("AUDIT_SIGNING_KEY is not set. .env.example says how to make one.")
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        raise NoKey("AUDIT_SIGNING_KEY cannot be read; it must be an Ed25519 private key in PEM.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise NoKey("AUDIT_SIGNING_KEY is of another kind; it must be an Ed25519 private key in PEM.")
    return key


def public_pem(key: Ed25519PrivateKey) -> str:
    """What to hand to those who check."""
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, kind).decode()


def public_keys(pem: str) -> PublicKeys:
    """All Ed25519 public keys of a PEM text, by fingerprint; several after a change of keys. Raises NoKey."""
    found = {}
    for part in pem.split(_END)[:-1]:
        try:
            key = serialization.load_pem_public_key((part.strip() + "\n" + _END).encode())
        except ValueError:
            raise NoKey("A public key cannot be read; it must be an Ed25519 key in PEM.") from None
        if isinstance(key, Ed25519PublicKey):
            found[fingerprint(key)] = key
    if not found:
        raise NoKey("There is no Ed25519 public key in that file.")
    return found


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the raw public key, in hexadecimal digits."""
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return sha256(raw).hexdigest()


def sign(key: Ed25519PrivateKey, message: bytes) -> str:
    """The signature in base64."""
    return b64encode(key.sign(message)).decode()


def is_signed(keys: PublicKeys, key: str, signature: str, message: bytes) -> bool:
    """Whether ``signature`` is that of the known key with fingerprint ``key`` over ``message``."""
    if key not in keys:
        return False
    try:
        keys[key].verify(b64decode(signature, validate=True), message)
    except (InvalidSignature, ValueError):
        return False
    return True
