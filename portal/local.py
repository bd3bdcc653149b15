"""What the local setting has that production never has: embedded servers under ``.local/`` and a key of its own."""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class LocalAddresses:
    """Where the embedded servers answer (or will, once started)."""

    database_url: str
    redis_url: str


def local_addresses(directory: Path, setting: str) -> LocalAddresses | None:
    """The embedded servers' addresses, or None where the package is not installed (production images)."""
    try:
        import embedded
    except ImportError:
        return None
    found = embedded.addresses(directory / ("test" if setting == "test" else "servers"))
    return LocalAddresses(found.database_url, found.redis_url)


def local_secret_key(directory: Path) -> str:
    """A random key, made once and kept in ``.local/secret_key`` with mode 0600."""
    path = directory / "secret_key"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text()


def local_signing_key(directory: Path) -> str:
    """An Ed25519 private key in PEM, made once and kept in ``.local/audit_signing_key.pem`` with mode 0600."""
    path = directory / "audit_signing_key.pem"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        made = directory / f".audit_signing_key.{os.getpid()}.{secrets.token_hex(4)}"
        made.touch(mode=0o600)
        made.write_bytes(_new_signing_key())
        with suppress(FileExistsError):  # another process was quicker; its key is the one
            os.link(made, path)
        made.unlink()
    return path.read_text()


def _new_signing_key() -> bytes:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
