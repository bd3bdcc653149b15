"""``python -m tests.soak``: a thousand tenants, a fifth of all calls faulty, workers killed, and nothing lost.

Chaos for so many seconds, then quiet until every tenant had one complete pass; then the oracle compares what the
portal holds with what the stand-in cloud has. A sweep over every tenant follows, after which every byte must be equal.
Ends by itself; the status is 0 only if all holds. The last line has the figures, ``.local/soak.json`` the same.
"""

import argparse
import random
import signal
import sys
import time
from typing import Any, Final
from uuid import UUID

import psycopg

from tests.repository.tree import ROOT
from tests.soak import oracle
from tests.soak.bugs import BUGS
from tests.soak.chaos import LATENESS, OLD_NEWS, REVOKED, SURVIVOR, VICTIM, Chaos
from tests.soak.pacing import crowded
from tests.soak.report import Report, say, told
from tests.soak.stage import SCALED, Stage, staged
from tests.soak.witness import Witness

QUIET_LIMIT: Final = 120.0  # seconds, in which every tenant must have had a pass
SWEEP_LIMIT: Final = 180.0  # seconds, in which every tenant must have been read whole
_SEED = """
WITH customer AS (INSERT INTO tenants_customer (name, created_at) SELECT 'Customer ' || n, now()
    FROM unnest(%(numbers)s::int[]) AS n RETURNING id, name),
tenant AS (INSERT INTO tenants_tenant (customer_id, entra_id, slug, name, domain, state, state_code, state_detail,
        state_reference, state_since, accepted_roles, connected_at, created_at, check_due_at)
    SELECT c.id, x.entra_id, 'tenant-' || x.n, 'Tenant ' || x.n, '', 'connected', '', '', '', now(), '[]', now(), now(),
        now() + interval '1 hour'
    FROM unnest(%(numbers)s::int[], %(ids)s::uuid[]) AS x(n, entra_id) JOIN customer c ON c.name = 'Customer ' || x.n
    RETURNING id)
INSERT INTO tenants_syncstate (tenant_id, next_due_at, lease_owner, lease_epoch, watermark_text, gaps_left, pass_kind,
    pass_since, pass_skip, pass_newest, pass_missing, pass_outdated, pass_silent, failures, is_slow, last_error_code,
    last_error, progress_pages, progress_seen, progress_reached)
SELECT id, now() + random() * interval '15 seconds', '', 0, '', 0, '', '', 0, '', 0, 0, 0, 0, false, '', '', 0, 0, ''
FROM tenant
"""


def main() -> int:
    """0 if all holds, with --bug if the bug was caught; 130 after Ctrl-C."""
    given = arguments()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    bugs = list(BUGS) if given.bug == "each" else [given.bug]
    failures = 0
    for bug in bugs:
        report = Report(seed, bug)
        try:
            within(given.limit)
            soak(report, tenants=given.tenants, seconds=given.seconds)
        except TimeLimit:
            say(f"the soak was not over after {given.limit} s")
        except KeyboardInterrupt:
            say("the soak was ended from outside")
            return 130
        finally:
            within(0)
            told(report, f"soak{'-' + bug if bug else ''}.json")
        failures += not (report.caught if bug else report.holds)
    if any(bugs):
        sys.stdout.write(f"{len(bugs) - failures} of {len(bugs)} seeded bugs were caught.\n")
    return 1 if failures else 0


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--tenants", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=210, help="of chaos")
    parser.add_argument("--limit", type=int, default=475, help="seconds after which a soak is given up")
    parser.add_argument("--seed", type=int, help="repeats faults and choices; printed")
    parser.add_argument("--bug", default="", choices=["", "each", *BUGS], help="a worker with this bug; must be caught")
    return parser.parse_args()


class TimeLimit(Exception):
    """The whole soak took too long."""


def within(seconds: int) -> None:
    """Raise TimeLimit in so many seconds; 0 takes that back. SIGTERM ends a soak as Ctrl-C does."""

    def over(*_: Any) -> None:
        raise TimeLimit

    signal.signal(signal.SIGALRM, over)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.alarm(seconds)


def soak(report: Report, *, tenants: int, seconds: float) -> None:
    """One whole soak; what is found goes into the report."""
    seed, bug = report.seed, report.bug
    say(f"{tenants} tenants, {seconds:.0f} s of chaos, seed {seed}{', bug ' + bug if bug else ''}")
    with staged(ROOT / ".local" / "soak", seed=seed, tenants=tenants, bug=bug) as stage:
        ids = [row["id"] for row in stage.control("tenants", method="GET")["tenants"]]
        with stage.database() as connection:
            connection.execute(_SEED, {"numbers": list(range(len(ids))), "ids": [UUID(one) for one in ids]})
        witness = Witness(stage)
        witness.install()
        chaos = Chaos(stage, witness, seed, ids)
        chaos.begin(pace=min(600.0, 3.0 * tenants), more=[OLD_NEWS] if bug else [])
        time.sleep(LATENESS)  # what the cloud had before the soak is no news that could be late
        start(stage)
        chaos.run(seconds)
        chaos.end()
        say("quiet")
        quiet(stage, chaos, report)
        look(stage, chaos, witness, report)


def start(stage: Stage) -> None:
    """Two workers and two beats."""
    for worker in (SURVIVOR, VICTIM):
        stage.start_worker(worker)
    for beat in ("beat-a", "beat-b"):
        schedule = ["--schedule", str(stage.folder / beat)]
        stage.start(beat, "-m", "celery", "-A", stage.app, "--quiet", "beat", "--loglevel", "WARNING", *schedule)


def quiet(stage: Stage, chaos: Chaos, report: Report) -> None:
    """Until every tenant had a complete pass that began in the quiet, once what was delayed has become visible.

    And until a poll more is over, so that it shows whether tenants are asked more often than once a poll.
    """
    time.sleep(LATENESS)
    began, poll = time.monotonic(), float(SCALED["SYNC_POLL_SECONDS"])
    first = stage.control("counters", method="GET")["calls"]
    report.note("not_settled", passed(stage, "pass_started_at >= %s AND last_ok_at >= pass_started_at"))
    report.figures["quiet_seconds"] = round(time.monotonic() - began, 1)
    time.sleep(max(0.0, began + 1.5 * poll - time.monotonic()))
    calls = stage.control(f"calls?since={first}", method="GET")["calls"]
    aside = {*chaos.tenants[:REVOKED], *chaos.poisoned}
    report.note("crowded", crowded(calls, seconds=time.monotonic() - began, poll=poll, aside=aside))


def passed(stage: Stage, condition: str, limit: float = QUIET_LIMIT) -> int:
    """How many tenants do not meet the condition when the time is over; ``%s`` is the moment of this call."""
    until = time.monotonic() + limit
    query = f"SELECT count(*) FROM tenants_syncstate WHERE NOT coalesce({condition}, false)"  # noqa: S608  our own text
    with stage.database() as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
        moment = row[0] if row else None
        while True:
            left = connection.execute(query, [moment]).fetchone()
            if not left or not left[0] or time.monotonic() > until:
                return int(left[0]) if left else -1
            time.sleep(1)


def look(stage: Stage, chaos: Chaos, witness: Witness, report: Report) -> None:
    """The oracle, before and after a sweep over every tenant."""
    with stage.database() as connection:
        first = oracle.look(connection, stage.control("digest", method="GET"))
        report.note("lost", first.lost)
        report.note("stale", first.stale)
        say(f"after the polls: {len(first.lost)} lost, {len(first.stale)} stale of {first.compared}")
        if not report.bug:
            sweep(stage, connection, report)
            say("every tenant was swept")
        last = oracle.look(connection, stage.control("digest", method="GET"))
        report.counts.setdefault("missing_in_sweeps", 0)
        report.note("different", last.different if not report.bug else 0)
        report.note("ghosts", last.ghosts if not report.bug else 0)
        report.note("not_aside", last.not_aside)
        report.note("foreign", oracle.foreign(connection))
        report.note("wrongly_aside", oracle.wrongly_aside(connection, chaos.poisoned))
        report.note("duplicated", oracle.duplicated(connection))
        report.figures |= {"compared": last.compared, **facts(connection)}
    report.note("zombie_writes", witness.zombies())
    counters = stage.control("counters", method="GET")
    report.note("self_inflicted_429s", int(counters["self_inflicted"]))
    # Whoever is killed or stopped with Microsoft's answer in hand cannot tell the next worker to wait.
    excused = chaos.done["worker kills"] + chaos.done["stalls"]
    report.figures["early_after_kills"] = min(int(counters["early"]), excused)
    report.note("early_calls", max(0, int(counters["early"]) - excused))
    report.figures |= {"calls": counters["calls"], "changes": counters["happened"], **witness.figures(), **chaos.done}
    report.figures["poisoned"] = sum(map(len, chaos.poisoned.values()))


def sweep(stage: Stage, connection: "psycopg.Connection[Any]", report: Report) -> None:
    """Every window is read again, and every open incident before it, as once a day; what is missing had been lost."""
    connection.execute("UPDATE tenants_syncstate SET sweep_due_at = now(), next_due_at = least(next_due_at, now())")
    report.counts["not_settled"] += passed(stage, "sweep_due_at > %s AND sweep_cursor IS NULL", SWEEP_LIMIT)
    row = connection.execute(
        "SELECT coalesce(sum(missing + outdated), 0), sum(silent), count(*) FROM tenants_completenesscheck"
    )
    missing, silent, checks = row.fetchone() or (1, 0, 0)
    report.note("missing_in_sweeps", int(missing))
    report.figures |= {"silent_changes_swept": int(silent or 0), "sweeps": checks}


def facts(connection: "psycopg.Connection[Any]") -> dict[str, Any]:
    """Sizes."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM incidents_incident), (SELECT count(*) FROM incidents_alert),"
        " (SELECT count(*) FROM incidents_quarantine), (SELECT sum(lease_epoch) FROM tenants_syncstate)"
    ).fetchone() or (0, 0, 0, 0)
    return dict(zip(("incidents", "alerts", "quarantined", "passes"), (int(n or 0) for n in row), strict=True))


if __name__ == "__main__":
    sys.exit(main())
