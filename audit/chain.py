"""Walking along the chain of rows: what each row must be for the walk to go on.

Hashes are computed here and not by the database. Whether a row's columns still say what its canonical text says is
compared by the database with an expression that is sent along: no function kept in it is trusted.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from django.db import connection

from audit.canonical import GENESIS, canonical_sql, hash_of

BATCH: Final = 5_000
_ROWS: Final = f"""
SELECT a.seq, a.prev, a.hash, a.canonical, a.canonical = {canonical_sql("a")} FROM audit_auditevent a
WHERE a.seq <= coalesce(%s, a.seq) ORDER BY a.seq
"""  # noqa: S608  constants only

Row = tuple[int, str, str, str, bool]  # seq, prev, hash, canonical, whether the columns agree with the latter
Fault = tuple[int, str]  # the number of the row that does not hold, and why


@dataclass(slots=True)
class Walk:
    """One walk along the chain: the row to come next, the hash it hangs on, and the anchors it must meet."""

    anchors: Mapping[int, str] = field(default_factory=dict)
    next: int = 1
    prev: str = GENESIS

    def fault_of(self, row: Row) -> Fault | None:
        """The number of the row that does not hold and why, or None where the walk may go on."""
        seq, prev, hash_, canonical, agrees = row
        if seq != self.next:
            return min(seq, self.next), f"row {self.next:,} is missing; row {seq:,} stands in its place"
        if prev != self.prev:
            return seq, f"it does not hang on row {seq - 1:,}: one of the two was changed"
        if hash_of(prev, canonical) != hash_:
            return seq, "its hash is not that of its text"
        if not agrees:
            return seq, "its columns say something else than the text that was hashed"
        if self.anchors.get(seq, hash_) != hash_:
            return seq, "an anchor says that it had another hash: rows up to it were hashed anew"
        self.next, self.prev = seq + 1, hash_
        return None


def rows(upto: int | None = None) -> Iterator[Row]:
    """All rows, or those up to a number, through a cursor on the server. Needs an open transaction."""
    with connection.chunked_cursor() as cursor, ThreadPoolExecutor(1) as ahead:
        cursor.execute(_ROWS, [upto])
        # The server makes the next rows while these are hashed: it costs as much time there as here.
        coming = ahead.submit(cursor.fetchmany, BATCH)
        while batch := coming.result():
            coming = ahead.submit(cursor.fetchmany, BATCH)
            yield from batch
