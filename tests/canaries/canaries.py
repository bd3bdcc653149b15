"""Which secrets there are, and the values that they had in one run."""

import re
import secrets
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

# As many values of one kind as are looked for; a run draws a new masked CSRF token for every page.
MOST: Final = 12
# A piece of this length cannot be there by chance.
LEAST: Final = 16
LONGEST_NEEDLE: Final = 64
_CORE = re.compile(rb"[A-Za-z0-9_-]{16,}")


@dataclass
class Canaries:
    """Values by kind. A piece of a value, such as a line of a key or a token's signature, counts as the value."""

    values: dict[str, list[bytes]] = field(default_factory=lambda: defaultdict(list))

    def add(self, kind: str, value: str | bytes) -> None:
        """Note one value of a kind; short ones are refused, since they would be found everywhere."""
        raw = value.encode() if isinstance(value, str) else value
        if len(raw) < LEAST:
            raise ValueError(f"A {kind} of {len(raw)} bytes is no canary.")
        known = self.values[kind]
        if raw not in known:
            known.append(raw)

    def plant(self, kind: str) -> str:
        """A new value of our own, with letters that JSON, HTML and addresses have to escape."""
        value = f"""{secrets.token_hex(4)}/"+&='{secrets.token_hex(16)}"""
        self.add(kind, value)
        return value

    def add_token(self, kind: str, token: str) -> None:
        """A signed token: its payload or its signature alone would be a leak. Others count as a whole."""
        parts = token.split(".")
        if len(parts) == 1:
            self.add(kind, token[:LONGEST_NEEDLE])
        for name, part in zip(("header", "payload", "signature"), parts, strict=False):
            if name != "header":
                self.add(kind, part[:LONGEST_NEEDLE])

    def add_private_key(self, kind: str, pem: str) -> None:
        """Lines of the PEM form, and the first prime as bytes and as a number."""
        lines = [line for line in pem.splitlines() if "-----" not in line]
        for line in lines[2:6]:
            self.add(kind, line)
        key = load_pem_private_key(pem.encode(), None)
        assert isinstance(key, RSAPrivateKey)
        prime = key.private_numbers().p
        self.add(kind, prime.to_bytes(-(-prime.bit_length() // 8))[:LONGEST_NEEDLE])
        self.add(kind, str(prime)[:LONGEST_NEEDLE])

    def add_signing_key(self, kind: str, pem: str) -> None:
        """A key of a kind whose PEM form is one line: that line, and the private half as bytes."""
        self.add(kind, pem.splitlines()[1])
        key = load_pem_private_key(pem.encode(), None)
        assert isinstance(key, Ed25519PrivateKey)
        self.add(kind, key.private_bytes_raw())

    def searched(self) -> dict[str, list[bytes]]:
        """What is looked for: the first and the last values of each kind, and of each its longest plain piece."""
        found: dict[str, list[bytes]] = {}
        for kind, values in self.values.items():
            chosen = values if len(values) <= MOST else values[: MOST // 2] + values[-MOST // 2 :]
            pieces = [piece for value in chosen for piece in (value[:LONGEST_NEEDLE], _core(value))]
            found[kind] = list(dict.fromkeys(piece for piece in pieces if piece))
        return found


def _core(value: bytes) -> bytes:
    """The longest run of letters that nothing escapes: most of a value is a leak as well."""
    runs: list[bytes] = _CORE.findall(value)
    return max(runs, key=len, default=b"")[:LONGEST_NEEDLE]
