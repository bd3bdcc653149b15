"""``python -m tests.audit --rows 1000000``: a long log is made in bulk, verified, and verified with one row edited.

Ends with status 0 only if the log is found whole within the time, and the edited row is found. The figures are the last
line and in ``.local/audit-million.json``.
"""

import argparse
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

REPORT = Path(".local/audit-million.json")
BATCH = 10_000  # events in one statement
WRITERS, SINGLES = 4, 500
EVENTS = """
SELECT count(*) FROM audit_append((SELECT jsonb_agg(jsonb_build_object(
    'actor', 'Person ' || g %% 40 || ' (#' || g %% 40 || ')', 'action', 'action ' || g %% 12,
    'tenant', lpad(to_hex(g %% 1000), 32, '0'), 'subject', 'incident ' || g, 'outcome', 'done',
    'details', jsonb_build_object('n', g, 'role', 'viewer'), 'request_id', lpad(to_hex(g), 16, '0'),
    'address', '192.0.2.' || g %% 250)) FROM generate_series(%s::int, %s::int) g))
"""


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.audit", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--within", type=float, default=10.0, help="seconds that the check may take")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds after which no more rows are made")
    asked = parser.parse_args()
    from tests.own_database import own_database

    with own_database():
        figures = measured(asked.rows, asked.limit)
    figures["ok"] = bool(figures["whole"] and figures["edit_found"] and figures["verify_seconds"] <= asked.within)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(figures, indent=1) + "\n")
    print(json.dumps(figures))
    return 0 if figures["ok"] else 1


def measured(wanted: int, limit: float) -> dict[str, Any]:
    """Figures, and what was found."""
    from audit.models import AuditEvent
    from audit.verify import verify

    singles = appended_alone()
    began = time.monotonic()
    made = fill(wanted, limit)
    making = time.monotonic() - began
    anchors = dict(AuditEvent.objects.order_by("-id").values_list("id", "hash")[:1])
    began = time.monotonic()
    finding = verify(anchors=anchors)
    seconds = time.monotonic() - began
    return {
        "rows": finding.rows,
        "whole": finding.bad is None and finding.rows == made + WRITERS * SINGLES and made >= wanted,
        "verify_seconds": round(seconds, 2),
        "verify_rows_per_second": round(finding.rows / seconds),
        "appended_in_bulk_per_second": round(made / making),
        "appended_alone_per_second": round(singles),
        "edit_found": edit_is_found(finding.rows - 1),
    }


def fill(wanted: int, limit: float) -> int:
    """Append until there are so many or the time is over; how many."""
    from django.db import connection

    until = time.monotonic() + limit
    for first in range(1, wanted + 1, BATCH):
        if time.monotonic() > until:
            return first - 1
        with connection.cursor() as cursor:
            cursor.execute(EVENTS, [first, min(first + BATCH - 1, wanted)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE audit_auditevent")
    return wanted


def appended_alone() -> float:
    """Transactions a second that append one row each, from some connections at once: they wait for one another."""
    from django.db import connection

    from audit.record import WORKER, Event, record

    def write(number: int) -> None:
        for _ in range(SINGLES):
            record(Event(by=WORKER, action="alone", subject=f"writer {number}"))
        connection.close()

    began = time.monotonic()
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    return WRITERS * SINGLES / (time.monotonic() - began)


def edit_is_found(seq: int) -> bool:
    """Whether the check names a row near the end once one character of it is another."""
    from audit.verify import verify
    from tests.audit.tampering import insider, run

    with insider():
        run("UPDATE audit_auditevent SET actor = actor || '.' WHERE seq = %s", seq)
        return verify().bad == seq


if __name__ == "__main__":
    sys.exit(main())
