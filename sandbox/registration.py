"""The partner's application as registered: secrets, certificates, trusted issuers, redirect URIs, permissions."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sandbox.keys import base64url
from sandbox.resources import MDE, XDR, Resource

DEFAULT_CLIENT_ID = "5a11db0c-0000-4000-8000-00000000c0de"
DEFAULT_CLIENT_SECRET = "sandbox-secret"
# Patterns for whole redirect URIs. Entra takes plain http for the loopback hosts only.
LOOPBACK_CALLBACKS = (
    r"http://localhost(:[0-9]+)?/consent/callback/",
    r"http://127\.0\.0\.1(:[0-9]+)?/consent/callback/",
)


@dataclass
class Secret:
    """One client secret; an expired one is told from a wrong one."""

    value: str
    expired: bool = False


@dataclass(frozen=True)
class Issuer:
    """Somebody whose signed statements stand in for a secret (a federated credential); `key` is a PEM public key."""

    issuer: str
    key: str
    subject: str | None = None
    audience: str = "api://AzureADTokenExchange"


@dataclass
class Registration:
    """`asked` is the static permission list per resource: what the consent page shows and what Accept grants."""

    client_id: str = DEFAULT_CLIENT_ID
    name: str = "Defender partner portal"
    secrets: list[Secret] = field(default_factory=lambda: [Secret(DEFAULT_CLIENT_SECRET)])
    certificates: dict[str, x509.Certificate] = field(default_factory=dict)
    issuers: dict[str, Issuer] = field(default_factory=dict)
    redirect_uris: list[str] = field(default_factory=lambda: list(LOOPBACK_CALLBACKS))
    asked: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            XDR.key: ("Incident.Read.All", "Incident.ReadWrite.All"),
            MDE.key: ("Machine.Read.All",),
        }
    )

    def asks(self, resource: Resource) -> tuple[str, ...]:
        """The roles of an API that the registration lists."""
        return self.asked.get(resource.key, ())

    def allows_redirect(self, uri: str) -> bool:
        """Whether a redirect URI is registered, to the letter; only loopback's port is free."""
        return any(re.fullmatch(pattern, uri) for pattern in self.redirect_uris)

    def secret_named(self, value: str) -> Secret | None:
        """The secret of that value, or None; compared in constant time."""
        return next(
            (known for known in self.secrets if hmac.compare_digest(known.value.encode(), value.encode())), None
        )

    def rotate_secret(self, *, value: str | None = None, expire_old: bool = True) -> str:
        """Add a secret and return it; the earlier ones expire unless an overlap is wanted."""
        for known in self.secrets:
            known.expired = known.expired or expire_old
        made = Secret(value or secrets.token_urlsafe(24))
        self.secrets.append(made)
        return made.value

    def register_certificate(self, pem_or_der: str | bytes) -> str:
        """Trust a certificate for client assertions; returns its x5t#S256. ValueError if it is not one."""
        data = pem_or_der.encode() if isinstance(pem_or_der, str) else pem_or_der
        is_pem = b"-----BEGIN" in data
        certificate = x509.load_pem_x509_certificate(data) if is_pem else x509.load_der_x509_certificate(data)
        thumbprint = base64url(hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest())
        self.certificates[thumbprint] = certificate
        return thumbprint

    def forget_certificate(self, thumbprint: str) -> None:
        """Trust a certificate no longer."""
        self.certificates.pop(thumbprint, None)

    def certificate_named(self, header: dict[str, object]) -> x509.Certificate | None:
        """By x5t#S256, or by the older x5t (SHA-1). MSAL writes both with the padding that base64url leaves away."""
        if "x5t#S256" in header:
            return self.certificates.get(str(header["x5t#S256"]).rstrip("="))
        wanted = str(header.get("x5t", "")).rstrip("=")
        return next((one for one in self.certificates.values() if wanted and wanted == _sha1(one)), None)


def _sha1(certificate: x509.Certificate) -> str:
    digest = hashlib.sha1(certificate.public_bytes(Encoding.DER), usedforsecurity=False).digest()
    return base64url(digest)
