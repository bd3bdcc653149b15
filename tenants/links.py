"""Secrets of a connect link. The link's secret is random; the state and the browser's cookie are derived from it.

Only SHA-256 hashes of the three are stored. Deriving them lets the connect page lead on to Microsoft each time it is
opened, in whichever browser, without keeping anything that could be stolen from the database. The key is the secret
itself, so that links outlive a change of SECRET_KEY.
"""

import base64
import hashlib
import hmac
import re
import secrets

SECRET_SHAPE = re.compile(r"[A-Za-z0-9_-]{43}")  # 256 bits in URL-safe base64


def new_secret() -> str:
    """256 random bits for a link."""
    return secrets.token_urlsafe(32)


def state_of(secret: str) -> str:
    """The OAuth state that belongs to a link's secret."""
    return _derived("state", secret)


def cookie_of(secret: str) -> str:
    """The cookie that our page sets in a browser that opened the link."""
    return _derived("cookie", secret)


def digest(value: str) -> str:
    """SHA-256 in hex: what is stored, and the key of a link holder's scope. Junk hashes to something unknown."""
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()


def well_formed(value: str) -> bool:
    """Whether the text can be one of our secrets, states or cookies at all."""
    return bool(SECRET_SHAPE.fullmatch(value))


def _derived(purpose: str, secret: str) -> str:
    mac = hmac.digest(secret.encode(), f"tenants.links.{purpose}".encode(), "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
