"""What the local setting has that production never has: embedded servers under ``.local/`` and a key of its own."""

import secrets
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
