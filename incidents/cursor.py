"""Where the next page of the queue begins: sealed, bound to the person and the filters, and short-lived.

The seal hides the row's primary key and cannot be forged. A cursor of somebody else, of other filters or of long ago
opens to None, which means the first page; it is never an error, and so never an answer.
"""

from base64 import urlsafe_b64encode
from datetime import datetime
from hashlib import blake2b

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

# Ours: no longer than a session, after which the list has moved on anyway.
LIFE_SECONDS = 10 * 3600
Place = tuple[datetime, int]


def seal(place: Place, *, user_id: int, query: str) -> str:
    """A cursor that leads on from ``place``: (updated_at, id) of the last row shown."""
    return _box().encrypt(msgspec.json.encode((user_id, query, *place))).decode()


def unseal(cursor: str, *, user_id: int, query: str) -> Place | None:
    """The place, or None unless this person got the cursor for these filters a short while ago."""
    if not cursor or len(cursor) > 8_000 or not cursor.isascii():
        return None
    try:
        opened = _box().decrypt(cursor.encode(), ttl=LIFE_SECONDS)
    except InvalidToken:
        return None
    owner, asked, updated_at, key = msgspec.json.decode(opened, type=tuple[int, str, datetime, int])
    return (updated_at, key) if (owner, asked) == (user_id, query) else None


def _box() -> MultiFernet:
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(urlsafe_b64encode(_key(secret))) for secret in secrets])


def _key(secret: str) -> bytes:
    material = blake2b(secret.encode(), digest_size=32).digest()
    return blake2b(b"incidents.queue", key=material, digest_size=32).digest()
