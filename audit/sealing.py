"""Retention: old rows go into a sealed file and only then leave the table; the chain goes on from its last hash.

A file is gzipped JSON Lines, a row each: ``seq``, ``prev``, ``hash`` and ``canonical``, the text that was hashed. It
can be checked with nothing but SHA-256. The row in audit_segment is signed, so that nobody makes rows vanish by
inventing a segment.
"""

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import file_digest
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection, transaction
from django.db.models import Max, Min

from audit.canonical import GENESIS
from audit.chain import Walk, rows
from audit.models import AuditEvent, Segment
from audit.record import Actor, Event, record
from audit.signing import PublicKeys, fingerprint, is_signed, sign


class NotSealed(Exception):
    """Nothing was sealed and no row was removed; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A segment as audit_seal takes it."""

    first_seq: int
    last_seq: int
    first_prev: str
    last_hash: str
    file_name: str
    file_sha256: str
    key: str = ""
    signature: str = ""


def seal(*, before: datetime, folder: Path, key: Ed25519PrivateKey, by: Actor, now: datetime) -> Segment | None:
    """Seal the oldest rows, those written before ``before``, into a file in ``folder``. None where there are none.

    The newest row always stays. Raises NotSealed where the rows do not hold: evidence is not filed away as if whole.
    """
    with transaction.atomic():
        span = _span(before)
        if span is None:
            return None
        bare = _write(folder, *span, now)
        signed = Sealed(**{**asdict(bare), "key": fingerprint(key.public_key()), "signature": sign(key, message(bare))})
        with connection.cursor() as cursor:
            cursor.execute("SELECT audit_seal(%s::jsonb)", [json.dumps(asdict(signed))])
        details = {"first": bare.first_seq, "last": bare.last_seq, "sha256": bare.file_sha256}
        record(Event(by=by, action="seal audit log", subject=bare.file_name, details=details))
    return Segment.objects.get(first_seq=bare.first_seq)


def message(segment: Sealed | Segment) -> bytes:
    """What is signed."""
    parts = (segment.first_seq, segment.last_seq, segment.first_prev, segment.last_hash, segment.file_sha256)
    return "\n".join(["portal audit segment 1", *map(str, parts), ""]).encode()


def is_sealed(segment: Segment, keys: PublicKeys) -> bool:
    """Whether one of the keys signed this very segment."""
    return is_signed(keys, segment.key, segment.signature, message(segment))


def file_fault(segment: Segment, folder: Path) -> str:
    """What is wrong with a segment's file, or blank where it is whole."""
    path = folder / segment.file_name
    if not path.is_file():
        return f"{path} is missing"
    return "" if _digest(path) == segment.file_sha256 else f"{path} is not the file that was sealed"


def _span(before: datetime) -> tuple[int, int] | None:
    """The first and the last row to seal: all rows from the oldest on, up to the first one that is younger."""
    ends = AuditEvent.objects.aggregate(first=Min("id"), last=Max("id"))
    younger = AuditEvent.objects.filter(at__gte=before).aggregate(first=Min("id"))["first"]
    if ends["first"] is None:
        return None
    last = min(ends["last"] - 1, (younger or ends["last"]) - 1)
    return (ends["first"], last) if last >= ends["first"] else None


def _write(folder: Path, first: int, last: int, now: datetime) -> Sealed:
    """The file, complete and on the disk before it gets its name."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"audit-{first:012d}-{last:012d}-{now:%Y%m%d}.jsonl.gz"
    unfinished = folder / f".{name}.part"
    prev = Segment.objects.order_by("-last_seq").values_list("last_hash", flat=True).first() or GENESIS
    try:
        last_hash = _fill(unfinished, first, last, prev)
    except NotSealed:
        unfinished.unlink()
        raise
    unfinished.replace(folder / name)
    _keep_names_of(folder)
    return Sealed(first, last, prev, last_hash, name, _digest(folder / name))


def _fill(path: Path, first: int, last: int, prev: str) -> str:
    last_hash = prev
    with path.open("wb") as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", filename="", mtime=0) as file:
            for line, last_hash in _lines(first, last, prev):  # noqa: B007  the last one is used below
                file.write(line)
        raw.flush()
        os.fsync(raw.fileno())
    return last_hash


def _keep_names_of(folder: Path) -> None:
    """Have the disk hold the file's new name too, before its rows leave the table."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _lines(first: int, last: int, prev: str) -> Iterator[tuple[bytes, str]]:
    """(line, hash) of each row. Raises NotSealed at the first that does not hold."""
    walk = Walk(next=first, prev=prev)
    for row in rows(upto=last):
        if fault := walk.fault_of(row):
            raise NotSealed(f"Row {fault[0]:,} does not hold: {fault[1]}. Nothing was sealed.")
        seq, prev, hash_, canonical, _ = row
        line = {"seq": seq, "prev": prev, "hash": hash_, "canonical": canonical}
        yield json.dumps(line, ensure_ascii=False).encode() + b"\n", hash_
