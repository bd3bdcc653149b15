"""How the partner app proves who it is: a secret, a certificate, or a token of a federated identity.

None of them shows itself in `repr`, `str` or an error. A certificate is the recommended kind; a secret is for trying
the portal out.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final, NoReturn

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from defender.errors import CredentialFault

# The largest credential file we read, in bytes: ours. A key with a chain of certificates has about ten thousand.
_LARGEST_FILE: Final = 256 * 1024
_SMALLEST_KEY_BITS: Final = 2048
_JWT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class NeverWrittenDown:
    """Of what holds a secret: it is not copied and not pickled, so no cache and no queue can ever take it along."""

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"A {type(self).__name__} stays in this process: it holds a secret.")


@dataclass(frozen=True, slots=True)
class ClientSecret(NeverWrittenDown):
    """A secret value. When it expires is known to Entra ID only."""

    kind: ClassVar[str] = "secret"
    value: str = field(repr=False)
    expires_at: datetime | None = None
    thumbprint: str | None = None

    def for_msal(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Certificate(NeverWrittenDown):
    """A private key (PEM, not encrypted) with its certificate. `thumbprint` is SHA-256, upper-case hex."""

    kind: ClassVar[str] = "certificate"
    private_key_pem: str = field(repr=False)
    certificate_pem: str = field(repr=False)
    expires_at: datetime = field(init=False)
    thumbprint: str = field(init=False)
    _key: RSAPrivateKey = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        certificate = x509.load_pem_x509_certificate(self.certificate_pem.encode())
        object.__setattr__(self, "expires_at", certificate.not_valid_after_utc)
        object.__setattr__(self, "thumbprint", certificate.fingerprint(SHA256()).hex().upper())
        object.__setattr__(self, "_key", load_pem_private_key(self.private_key_pem.encode(), None))

    def for_msal(self) -> dict[str, Any]:
        """Without a thumbprint of ours MSAL signs with PS256 and names the certificate by its SHA-256.

        The key goes in as an object: from text it would be parsed and checked anew for every tenant, at 40 ms each.
        """
        return {"private_key": self._key, "public_certificate": self.certificate_pem}


@dataclass(frozen=True, slots=True)
class Federated(NeverWrittenDown):
    """`assertion` gives a fresh token of the federated identity each time it is called; such tokens live minutes."""

    kind: ClassVar[str] = "federated"
    assertion: Callable[[], str] = field(repr=False)
    expires_at: datetime | None = None
    thumbprint: str | None = None

    @classmethod
    def from_file(cls, path: Path) -> "Federated":
        """Reads the file anew for every assertion, because whoever issues the token replaces the file."""
        return cls(lambda: _read_assertion(path))

    def for_msal(self) -> dict[str, Any]:
        return {"client_assertion": self.assertion}


Credential = ClientSecret | Certificate | Federated


def load_credential(
    *,
    secret: str | None = None,
    certificate: Path | None = None,
    private_key: Path | None = None,
    federated_token: Path | None = None,
    passphrase: bytes | None = None,
    now: datetime | None = None,
) -> Credential:
    """The credential that the settings describe; exactly one kind may be given. Raises CredentialFault.

    `certificate` is a PEM file that also holds the private key, unless `private_key` names another file.
    """
    given = [bool(secret), certificate is not None, federated_token is not None]
    if sum(given) != 1:
        raise _fault("setting", "Give exactly one of a secret, a certificate file and a federated token file.")
    if secret:
        return ClientSecret(secret.strip())
    if certificate is not None:
        return _certificate(certificate, private_key or certificate, passphrase, now or datetime.now(UTC))
    assert federated_token is not None  # noqa: S101 - for the type checker; the count above says so.
    _read_assertion(federated_token)
    return Federated.from_file(federated_token)


def _certificate(path: Path, key_path: Path, passphrase: bytes | None, now: datetime) -> Certificate:
    parsed = _load_certificate(path, _read(path))
    return _whole(path, parsed, _load_key(key_path, _read(key_path), passphrase), now)


def certificate_in(where: str, pem: bytes, *, now: datetime) -> Certificate:
    """A certificate and its key, not encrypted, out of one PEM text. `where` it comes from is for sentences.

    Raises CredentialFault.
    """
    return _whole(where, _load_certificate(where, pem), _load_key(where, pem, None), now)


def _whole(path: Path | str, parsed: x509.Certificate, key: RSAPrivateKey, now: datetime) -> Certificate:
    _refuse_mismatch(parsed, key, path)
    if parsed.not_valid_after_utc <= now:
        raise _fault(
            "certificate-expired", f"The certificate in {path} expired on {parsed.not_valid_after_utc:%Y-%m-%d}."
        )
    if parsed.not_valid_before_utc > now:
        day = f"{parsed.not_valid_before_utc:%Y-%m-%d}"
        raise _fault("certificate-not-yet-valid", f"The certificate in {path} is valid from {day} only.")
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Certificate(key_pem, parsed.public_bytes(Encoding.PEM).decode())


def _load_certificate(path: Path | str, pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        failure = _fault("certificate-unreadable", f"There is no certificate in PEM form in {path}.")
    raise failure


def _load_key(path: Path | str, pem: bytes, passphrase: bytes | None) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pem, passphrase)
    except TypeError:
        sentence = (
            "is encrypted and no passphrase is set" if not passphrase else "is not encrypted, yet a passphrase is set"
        )
        failure = _fault("key-passphrase", f"The private key in {path} {sentence}.")
    except ValueError:
        failure = _fault("key-unreadable", f"There is no readable private key in PEM form in {path}.")
    else:
        if isinstance(key, RSAPrivateKey) and key.key_size >= _SMALLEST_KEY_BITS:
            return key
        failure = _fault("key-kind", f"The private key in {path} must be RSA with at least {_SMALLEST_KEY_BITS} bits.")
    raise failure


def _refuse_mismatch(certificate: x509.Certificate, key: RSAPrivateKey, path: Path | str) -> None:
    mine, other = (
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for public in (key.public_key(), certificate.public_key())
    )
    if mine != other:
        raise _fault("key-mismatch", f"The certificate in {path} does not belong to the private key.")


def read_secret(path: Path) -> str:
    """The client secret in a file. Raises CredentialFault."""
    text = _read(path).decode("utf-8", "replace").strip()
    if not text:
        raise _fault("secret-empty", f"The file {path} holds no secret.")
    return text


def _read_assertion(path: Path) -> str:
    text = _read(path).decode("ascii", "replace").strip()
    if not _JWT.fullmatch(text):
        raise _fault("federated-token", f"The file {path} holds no token.")
    return text


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        failure = _fault(
            "file-unreadable", f"The file {path} cannot be read: {error.strerror or type(error).__name__}."
        )
    else:
        if len(content) <= _LARGEST_FILE:
            return content
        failure = _fault("file-too-large", f"The file {path} is too large for a credential.")
    raise failure


def _fault(code: str, sentence: str) -> CredentialFault:
    return CredentialFault(sentence, step="Correct the credential in the settings, then restart.", code=code)
