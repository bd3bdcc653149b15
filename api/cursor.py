"""Where a reader of changes stands: sealed, so that it tells nothing and cannot be made up; it does not expire.

It belongs to the token's owner and to the tenants that were asked for, and gives no access: whatever comes after it is
read under the rights of whoever sends it. A new token of the same owner goes on where the old one stopped.
"""

from base64 import urlsafe_b64encode
from datetime import datetime
from hashlib import blake2b

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from api.problems import Problem


class Place(msgspec.Struct, frozen=True):
    """After the incident ``incident`` at ``mark``. ``since`` does not hold from the mark ``known`` on."""

    mark: int = 0
    incident: int = 0
    since: datetime | None = None
    known: int = 0


def seal(place: Place, *, owner: int, question: str) -> str:
    """The cursor that leads on from ``place``."""
    return _box().encrypt(msgspec.json.encode((owner, question, place))).decode()


def unseal(cursor: str, *, owner: int, question: str) -> Place:
    """The place. Raises Problem for a cursor of somebody else, of another question, or made up: all the same."""
    try:
        opened = _box().decrypt(cursor.encode())
    except (InvalidToken, UnicodeEncodeError):
        opened = b'[0, "", {}]'
    by, asked, place = msgspec.json.decode(opened, type=tuple[int, str, Place])
    if (by, asked) != (owner, question):
        raise Problem(400, "This cursor is not of this question. Leave it out to begin anew.")
    return place


def _box() -> MultiFernet:
    keys = (
        blake2b(secret.encode(), digest_size=32).digest()
        for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    )
    named = (blake2b(b"api.cursor", key=key, digest_size=32).digest() for key in keys)
    return MultiFernet([Fernet(urlsafe_b64encode(key)) for key in named])
