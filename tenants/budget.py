"""Calls to Microsoft per tenant: debited before the call, in one statement, so that all workers share one account.

Microsoft counts per tenant and app (the portal's one app registration), so tenants do not take from each other. The
account is kept in PostgreSQL with its clock: workers on several machines have several clocks, and Redis may be emptied
at any time.

Each account is a bucket of ``burst`` calls that fills up again at ``rate`` calls a minute; what is stored is the moment
at which it would be full. In any span of m minutes it gives at most ``burst + rate * m`` calls, wherever the span
begins, so neither Microsoft's minute nor its hour can be exceeded: a count that starts anew with each minute would
allow twice as many around the turn. Background work has a smaller bucket of its own inside it and leaves the rest to
people.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.utils import timezone

from defender.errors import Throttled
from tenants import scope
from tenants.models import Budget


@dataclass(frozen=True, slots=True)
class Bucket:
    """So many calls at once, and so many more with each minute."""

    burst: int
    rate: float

    @property
    def pause(self) -> timedelta:
        """How long one call takes to come back."""
        return timedelta(minutes=1 / self.rate)

    @property
    def depth(self) -> timedelta:
        """How long an empty bucket takes to be full."""
        return self.burst * self.pause

    def most(self, minutes: float) -> float:
        """The most calls that any span of this length can see."""
        return self.burst + self.rate * minutes


@dataclass(frozen=True, slots=True)
class Limit:
    """Microsoft's calls per minute and per hour, and the buckets that stay within them."""

    minute: int
    hour: int
    whole: Bucket
    background: Bucket


# Microsoft's limits per tenant and app, from the documentation of "List incidents", "Get incident" and "Update
# incidents". The buckets are ours: within the limits over any minute and any hour, and background work within
# BACKGROUND_SHARE of them.
LIMITS: Final = {
    "list": Limit(50, 1500, Bucket(25, 24), Bucket(15, 14.4)),
    "get": Limit(100, 1500, Bucket(50, 24), Bucket(30, 14.4)),
    "patch": Limit(50, 1500, Bucket(25, 24), Bucket(15, 14.4)),
}
# Ours: so much of a limit background work may use, in percent, so that an analyst's click always finds a call left.
BACKGROUND_SHARE: Final = 60
# Longest wait we take from Microsoft or from our own count, in seconds. The longest limit is counted by the hour.
LONGEST_WAIT: Final = 3600.0
LONGEST_BLOCK: Final = timedelta(seconds=LONGEST_WAIT)
OUR_OWN: Final = "budget-spent"

# Whether the row's minute or hour still runs. A window that begins in the future comes from a clock that was set back:
# it counts as over.
_MINUTE_RUNS = (
    "(mine.minute_started_at > excluded.minute_started_at - interval '1 minute'"
    " AND mine.minute_started_at <= excluded.minute_started_at)"
)
_HOUR_RUNS = (
    "(mine.hour_started_at > excluded.hour_started_at - interval '1 hour'"
    " AND mine.hour_started_at <= excluded.hour_started_at)"
)


def _kept(column: str, name: str, now: str) -> str:
    """When the bucket would be full, or NULL where that lies so far ahead that the clock must have been set back."""
    return f"CASE WHEN {column} <= {now} + %({name}_depth)s + interval '5 seconds' THEN {column} END"


def _blocked(row: str, now: str) -> str:
    """Until when Microsoft asked to wait, or NULL where that lies further ahead than we ever wait: see ``_kept``."""
    longest = f"interval '{LONGEST_WAIT + 5:.0f} seconds'"
    return f"CASE WHEN {row}.blocked_until <= {now} + {longest} THEN {row}.blocked_until END"


def _next(column: str, name: str) -> str:
    """When the bucket would be full after this call."""
    now = "excluded.minute_started_at"
    return f"greatest({_kept(f'mine.{column}', name, now)}, {now}) + %({name}_pause)s"


def _allows(column: str, name: str) -> str:
    return f"{_next(column, name)} <= excluded.minute_started_at + %({name}_depth)s"


def debiting(rows: str, *, background: bool) -> str:
    """The statement that takes one call from each account of ``rows`` (a select of tenant_id and now), for a CTE too.

    It returns tenant_id where the account had a call left. Parameters: those of ``parameters``.
    """
    paced = f"paced_at = {_next('paced_at', 'whole')}"
    allowed = _allows("paced_at", "whole")
    if background:
        paced += f", background_paced_at = {_next('background_paced_at', 'background')}"
        allowed += f" AND {_allows('background_paced_at', 'background')}"
    return f"""
    INSERT INTO tenants_budget AS mine (tenant_id, verb, minute_started_at, minute_used, hour_started_at, hour_used,
        paced_at, background_paced_at)
    SELECT tenant_id, %(verb)s, now, 1, now, 1, now + %(whole_pause)s, now + %(background_first)s FROM ({rows}) AS asked
    ON CONFLICT (tenant_id, verb) DO UPDATE SET
        minute_started_at = CASE WHEN {_MINUTE_RUNS} THEN mine.minute_started_at ELSE excluded.minute_started_at END,
        minute_used = CASE WHEN {_MINUTE_RUNS} THEN mine.minute_used + 1 ELSE 1 END,
        hour_started_at = CASE WHEN {_HOUR_RUNS} THEN mine.hour_started_at ELSE excluded.hour_started_at END,
        hour_used = CASE WHEN {_HOUR_RUNS} THEN mine.hour_used + 1 ELSE 1 END,
        {paced}
    WHERE coalesce({_blocked("mine", "excluded.minute_started_at")} <= excluded.minute_started_at, true) AND {allowed}
    RETURNING tenant_id
    """  # noqa: S608  only the constants and conditions of this file are pasted in


def free_at(now: str, *, background: bool) -> str:
    """When the account of a row ``b`` has a call again, for a statement; ``now`` is an expression of it."""
    names = {"paced_at": "whole", "background_paced_at": "background"}
    accounts = [(column, name) for column, name in names.items() if background or name == "whole"]
    waits = [f"{_kept(f'b.{column}', name, now)} + %({name}_pause)s - %({name}_depth)s" for column, name in accounts]
    return f"greatest({_blocked('b', now)}, {', '.join(waits)})"


def parameters(verb: str, *, background: bool) -> dict[str, Any]:
    """The parameters of ``debiting`` and ``free_at``."""
    limit = LIMITS[verb]
    return {
        "verb": verb,
        "whole_pause": limit.whole.pause,
        "whole_depth": limit.whole.depth,
        "background_pause": limit.background.pause,
        "background_depth": limit.background.depth,
        "background_first": limit.background.pause if background else timedelta(),
    }


_ONE = "SELECT %(tenant)s::bigint AS tenant_id, coalesce(%(now)s::timestamptz, statement_timestamp()) AS now"
_DEBIT = {background: debiting(_ONE, background=background) for background in (False, True)}
_MOMENT = "coalesce(%(now)s::timestamptz, statement_timestamp())"
_WAIT = {
    background: (
        f"SELECT extract(epoch FROM {free_at(_MOMENT, background=background)} - {_MOMENT}) "  # noqa: S608
        "FROM tenants_budget b WHERE b.tenant_id = %(tenant)s AND b.verb = %(verb)s"
    )
    for background in (False, True)
}


def debit(*, tenant_id: int, verb: str, now: datetime | None = None, background: bool = True) -> None:
    """Take one call ("list", "get" or "patch") from the tenant's account, in a short transaction of its own.

    ``now`` is the database's clock unless given. Raises defender.errors.Throttled with the seconds to wait where no
    call is left, or where Microsoft has asked to wait.
    """
    values = {"tenant": tenant_id, "now": now, **parameters(verb, background=background)}
    with scope.operations(), connection.cursor() as cursor:
        cursor.execute(_DEBIT[background], values)
        if cursor.fetchone():
            return
        cursor.execute(_WAIT[background], values)
        row = cursor.fetchone()
    wait = float(row[0]) if row and row[0] is not None else 1.0
    raise Throttled(
        "The calls that Microsoft allows for this tenant are spent for the moment.",
        step="Nothing to do: the portal waits and goes on.",
        code=OUR_OWN,
        retry_after=min(max(wait, 1.0), LONGEST_WAIT),
    )


def block(*, tenant_id: int, verb: str, seconds: float) -> None:
    """Microsoft asked to wait (429): no call of this kind, by anybody, for so many seconds from now."""
    wait = min(max(seconds, 1.0), LONGEST_WAIT)
    with scope.operations(), connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO tenants_budget AS mine
                (tenant_id, verb, minute_started_at, minute_used, hour_started_at, hour_used, blocked_until)
            VALUES (%s, %s, statement_timestamp(), 0, statement_timestamp(), 0,
                statement_timestamp() + make_interval(secs => %s))
            ON CONFLICT (tenant_id, verb) DO UPDATE
                SET blocked_until = greatest({_blocked("mine", "statement_timestamp()")}, excluded.blocked_until)
            """,  # noqa: S608  only a constant of this file is pasted in
            [tenant_id, verb, wait],
        )


@dataclass(frozen=True, slots=True)
class Spent:
    """How many calls of one kind the current minute and hour have seen, and Microsoft's limits.

    ``blocked_until`` only while it lies ahead.
    """

    verb: str
    minute_used: int
    minute_limit: int
    hour_used: int
    hour_limit: int
    blocked_until: datetime | None

    @property
    def percent(self) -> int:
        """How much of the tighter of the two limits is used, in percent."""
        return max(100 * self.minute_used // self.minute_limit, 100 * self.hour_used // self.hour_limit)


def left(tenant_id: int, *, now: datetime | None = None) -> list[Spent]:
    """The tenant's account for a page, one line per kind of call; kinds never called are left out.

    Reads in the scope that is open, so a person sees it only for a tenant they may see.
    """
    moment = now or timezone.now()
    rows = {row.verb: row for row in Budget.objects.filter(tenant_id=tenant_id)}
    return [spent_of(rows[verb], moment) for verb in LIMITS if verb in rows]


def spent_of(row: Budget, now: datetime) -> Spent:
    """One account in words and figures."""
    limit = LIMITS[row.verb]
    minute_over = not 0 <= (now - row.minute_started_at).total_seconds() < 60
    hour_over = not 0 <= (now - row.hour_started_at).total_seconds() < 3600
    return Spent(
        verb=row.verb,
        minute_used=0 if minute_over else row.minute_used,
        minute_limit=limit.minute,
        hour_used=0 if hour_over else row.hour_used,
        hour_limit=limit.hour,
        blocked_until=row.blocked_until if row.blocked_until and row.blocked_until > now else None,
    )
