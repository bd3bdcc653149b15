"""Anchors: the chain's head, signed, on lines of a file outside the database.

The chain alone cannot tell that its newest rows were cut off, or hashed anew from some row on. An anchor can: it says
which hash a row had at a time, and whoever owns the database has neither the key nor, where the file is shipped to
another place, the file.
"""

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit.models import AuditEvent
from audit.signing import PublicKeys, fingerprint, is_signed, sign


class Unreadable(Exception):
    """A line of an anchors' file is not an anchor that one of our keys signed; the sentence names the line."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """Row ``seq`` had ``hash`` at the time ``at`` (ISO 8601, UTC)."""

    seq: int
    hash: str
    at: str
    key: str = ""
    signature: str = ""

    def message(self) -> bytes:
        """What is signed."""
        return f"portal audit anchor 1\n{self.seq}\n{self.hash}\n{self.at}\n".encode()


def make_anchor(*, key: Ed25519PrivateKey, now: datetime) -> Anchor | None:
    """The newest committed row, signed; None while the log is empty."""
    head = AuditEvent.objects.order_by("-id").values_list("id", "hash").first()
    if head is None:
        return None
    bare = Anchor(*head, at=now.astimezone(UTC).isoformat())
    return Anchor(bare.seq, bare.hash, bare.at, fingerprint(key.public_key()), sign(key, bare.message()))


def write_anchor(path: Path, anchor: Anchor) -> bool:
    """Append the anchor to the file and have the disk hold it. False where the last line says the same already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if _last_head(file) == (anchor.seq, anchor.hash):
            return False
        file.write(json.dumps(asdict(anchor)) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return True


def read_anchors(lines: Iterable[str], keys: PublicKeys) -> dict[int, str]:
    """Hash by row number. Raises Unreadable at the first line that is damaged or that none of the keys signed."""
    found: dict[int, str] = {}
    for number, line in enumerate(lines, start=1):
        anchor = _parsed(line)
        if anchor is None:
            raise Unreadable(f"Line {number} of the anchors cannot be read.")
        if not is_signed(keys, anchor.key, anchor.signature, anchor.message()):
            raise Unreadable(f"Line {number} of the anchors is not signed by a known key.")
        if found.setdefault(anchor.seq, anchor.hash) != anchor.hash:
            raise Unreadable(f"Line {number} of the anchors gives row {anchor.seq:,} another hash than a line before.")
    return found


def _parsed(line: str) -> Anchor | None:
    try:
        anchor = Anchor(**json.loads(line))
    except (ValueError, TypeError):
        return None
    is_sound = isinstance(anchor.seq, int) and all(
        isinstance(value, str) for value in (anchor.hash, anchor.at, anchor.key, anchor.signature)
    )
    return anchor if is_sound else None


def _last_head(file: TextIO) -> tuple[int, str] | None:
    """The head that the last line names; an anchor is shorter than what is read of the file's end."""
    file.seek(max(0, file.seek(0, os.SEEK_END) - 1000))
    lines = file.read().splitlines()
    anchor = _parsed(lines[-1]) if lines else None
    return (anchor.seq, anchor.hash) if anchor else None
