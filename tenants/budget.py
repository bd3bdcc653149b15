"""Calls to Microsoft per tenant: debited before the call, in one statement, so that all workers share one account.

Microsoft counts per tenant and app (the portal's one app registration), so tenants do not take from each other. The
account is kept in PostgreSQL with its clock: workers on several machines have several clocks, and Redis may be emptied
at any time. Background work leaves a share to people.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.utils import timezone

from defender.errors import Throttled
from tenants import scope
from tenants.models import Budget


@dataclass(frozen=True, slots=True)
class Limit:
    """Calls per minute and per hour."""

    minute: int
    hour: int


# Microsoft's limits per tenant and app, from the documentation of "List incidents", "Get incident", "Update incidents".
LIMITS: Final = {"list": Limit(50, 1500), "get": Limit(100, 1500), "patch": Limit(50, 1500)}
# Ours: so much of a limit background work may use, in percent, so that an analyst's click always finds a call left.
BACKGROUND_SHARE: Final = 60
# Longest wait we take from Microsoft or from our own count, in seconds. The longest limit is counted by the hour.
LONGEST_WAIT: Final = 3600.0
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
_DEBIT = f"""
WITH clock AS (SELECT coalesce(%(now)s::timestamptz, statement_timestamp()) AS now)
INSERT INTO tenants_budget AS mine (tenant_id, verb, minute_started_at, minute_used, hour_started_at, hour_used)
SELECT %(tenant)s, %(verb)s, now, 1, now, 1 FROM clock
ON CONFLICT (tenant_id, verb) DO UPDATE SET
    minute_started_at = CASE WHEN {_MINUTE_RUNS} THEN mine.minute_started_at ELSE excluded.minute_started_at END,
    minute_used = CASE WHEN {_MINUTE_RUNS} THEN mine.minute_used + 1 ELSE 1 END,
    hour_started_at = CASE WHEN {_HOUR_RUNS} THEN mine.hour_started_at ELSE excluded.hour_started_at END,
    hour_used = CASE WHEN {_HOUR_RUNS} THEN mine.hour_used + 1 ELSE 1 END
WHERE coalesce(mine.blocked_until <= excluded.minute_started_at, true)
    AND (mine.minute_used < %(minute)s OR NOT {_MINUTE_RUNS})
    AND (mine.hour_used < %(hour)s OR NOT {_HOUR_RUNS})
RETURNING 1
"""  # noqa: S608  only the two conditions above are pasted in
_WAIT = """
WITH clock AS (SELECT coalesce(%(now)s::timestamptz, statement_timestamp()) AS now)
SELECT extract(epoch FROM greatest(
    blocked_until,
    CASE WHEN minute_used >= %(minute)s THEN minute_started_at + interval '1 minute' END,
    CASE WHEN hour_used >= %(hour)s THEN hour_started_at + interval '1 hour' END) - now)
FROM tenants_budget, clock WHERE tenant_id = %(tenant)s AND verb = %(verb)s
"""


def debit(*, tenant_id: int, verb: str, now: datetime | None = None, background: bool = True) -> None:
    """Take one call ("list", "get" or "patch") from the tenant's account, in a short transaction of its own.

    ``now`` is the database's clock unless given. Raises defender.errors.Throttled with the seconds to wait where the
    minute's or the hour's calls are spent, or where Microsoft has asked to wait.
    """
    limit, share = LIMITS[verb], BACKGROUND_SHARE if background else 100
    values: dict[str, Any] = {
        "tenant": tenant_id,
        "verb": verb,
        "now": now,
        "minute": limit.minute * share // 100,
        "hour": limit.hour * share // 100,
    }
    with scope.operations(), connection.cursor() as cursor:
        cursor.execute(_DEBIT, values)
        if cursor.fetchone():
            return
        cursor.execute(_WAIT, values)
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
            """
            INSERT INTO tenants_budget AS mine
                (tenant_id, verb, minute_started_at, minute_used, hour_started_at, hour_used, blocked_until)
            VALUES (%s, %s, statement_timestamp(), 0, statement_timestamp(), 0,
                statement_timestamp() + make_interval(secs => %s))
            ON CONFLICT (tenant_id, verb) DO UPDATE
                SET blocked_until = greatest(mine.blocked_until, excluded.blocked_until)
            """,
            [tenant_id, verb, wait],
        )


@dataclass(frozen=True, slots=True)
class Spent:
    """How much of one kind of call is used now, of Microsoft's limits; ``blocked_until`` only while it lies ahead."""

    verb: str
    minute_used: int
    minute_limit: int
    hour_used: int
    hour_limit: int
    blocked_until: datetime | None


def left(tenant_id: int, *, now: datetime | None = None) -> list[Spent]:
    """The tenant's account for a page, one line per kind of call; kinds never called are left out.

    Reads in the scope that is open, so a person sees it only for a tenant they may see.
    """
    moment = now or timezone.now()
    rows = {row.verb: row for row in Budget.objects.filter(tenant_id=tenant_id)}
    return [_spent(rows[verb], limit, moment) for verb, limit in LIMITS.items() if verb in rows]


def _spent(row: Budget, limit: Limit, now: datetime) -> Spent:
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
