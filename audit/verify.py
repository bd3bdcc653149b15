"""Whether the audit log is whole: every row as it was written, none missing, none added, none moved."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from audit.chain import Fault, Row, Walk, rows
from audit.models import Segment
from audit.sealing import is_sealed
from audit.signing import PublicKeys


@dataclass(slots=True)
class Finding:
    """What was found. ``bad`` is the number of the first row that does not hold, None where all hold."""

    rows: int = 0
    last: int = 0
    bad: int | None = None
    why: str = ""
    sealed: int = 0
    anchors: int = 0


def verify(*, anchors: Mapping[int, str] | None = None, keys: PublicKeys | None = None) -> Finding:
    """Look at every row, in one snapshot and with little memory. ``keys`` check the signatures of sealed segments."""
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        if is_outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return _verified(list(Segment.objects.all()), rows(), anchors or {}, keys or {})


def _verified(
    segments: Sequence[Segment], found: Iterator[Row], anchors: Mapping[int, str], keys: PublicKeys
) -> Finding:
    finding, walk = Finding(anchors=len(anchors)), Walk(anchors)
    fault: Fault | None = None
    for segment in segments:
        if fault := _fault_of_segment(segment, walk, keys):
            break
        finding.sealed += segment.last_seq - segment.first_seq + 1
    for row in found if fault is None else ():
        if fault := walk.fault_of(row):
            break
        finding.rows += 1
    fault = fault or _missing_tail(walk)
    finding.last = walk.next - 1
    if fault:
        finding.bad, finding.why = fault
    return finding


def _fault_of_segment(segment: Segment, walk: Walk, keys: PublicKeys) -> Fault | None:
    if (segment.first_seq, segment.first_prev) != (walk.next, walk.prev) or segment.last_seq < segment.first_seq:
        return min(walk.next, segment.first_seq), "a sealed segment does not hang on what comes before it"
    if not is_sealed(segment, keys):
        return segment.first_seq, "its sealed segment is not signed by a known key"
    if walk.anchors.get(segment.last_seq, segment.last_hash) != segment.last_hash:
        return segment.last_seq, "an anchor says that it had another hash than its sealed segment says"
    walk.next, walk.prev = segment.last_seq + 1, segment.last_hash
    return None


def _missing_tail(walk: Walk) -> Fault | None:
    last = max(walk.anchors, default=0)
    if last >= walk.next:
        return walk.next, f"the log ends before it, but an anchor knows row {last:,}: the end was cut off"
    return None
