"""The keys that one tenant's Entra ID signs with, as the tenant publishes them.

They are asked for at one fixed address and kept for a day. A key that is not among them makes the portal look again,
because keys roll over without notice, but not more often than once a minute.
"""

import base64
import binascii
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from defender.errors import Transient
from defender.msal_http import oauth_object
from defender.transport import Transport

# Microsoft asks clients to look about every 24 hours; the pause between two looks is ours.
KEPT: Final = 24 * 3600.0
PAUSE: Final = 60.0
# Key sets have about 10 KB and a handful of keys; cap and deadline are ours. A person is waiting for the answer.
_MAX_BYTES: Final = 256 * 1024
_MOST_KEYS: Final = 50
_DEADLINE: Final = 10.0
_SMALLEST_KEY_BITS: Final = 2048


class SigningKeys:
    """The key set of one tenant. Safe for many threads."""

    def __init__(
        self, transport: Transport, *, tenant_id: UUID, issuer: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._transport = transport
        self._address = f"{transport.cloud.authority}/{tenant_id}/discovery/v2.0/keys"
        self._issuers = {issuer, issuer.replace(str(tenant_id), "{tenantid}")}
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, RSAPublicKey] = {}
        self._looked_at: float | None = None

    def named(self, kid: str) -> RSAPublicKey | None:
        """The key of that name, or None where the tenant publishes none. Raises Throttled and Transient."""
        with self._lock:
            age = KEPT if self._looked_at is None else self._clock() - self._looked_at
            if age >= KEPT or (kid not in self._keys and age >= PAUSE):
                self._keys = self._fetched()
                self._looked_at = self._clock()
            return self._keys.get(kid)

    def _fetched(self) -> dict[str, RSAPublicKey]:
        reply = self._transport.call("GET", self._address, deadline=_DEADLINE, max_bytes=_MAX_BYTES)
        listed = oauth_object(reply).get("keys")
        found = {}
        for shape in listed[:_MOST_KEYS] if isinstance(listed, list) else []:
            if isinstance(shape, dict) and self._is_ours(shape) and (key := _key(shape)):
                found[str(shape["kid"])] = key
        if not found:
            raise Transient("Entra ID's answer holds no key.", code="keys-shape", reference=reply.request_id)
        return found

    def _is_ours(self, shape: Mapping[str, Any]) -> bool:
        """For signatures, and of this issuer where the set says whose a key is."""
        issuer = shape.get("issuer")
        kid = shape.get("kid")
        return (issuer is None or issuer in self._issuers) and shape.get("use", "sig") == "sig" and isinstance(kid, str)


def _key(shape: Mapping[str, Any]) -> RSAPublicKey | None:
    """An RSA key from its numbers; None for other kinds, small keys and nonsense."""
    if shape.get("kty") != "RSA":
        return None
    try:
        key = RSAPublicNumbers(_number(shape.get("e")), _number(shape.get("n"))).public_key()
    except (ValueError, TypeError, binascii.Error):
        return None
    return key if key.key_size >= _SMALLEST_KEY_BITS else None


def _number(text: object) -> int:
    if not isinstance(text, str):
        raise ValueError("no number")
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
