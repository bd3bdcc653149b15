"""The queue's statement against the floor, against a plain foreign-key index, and far down the list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from incidents.cursor import Place
from incidents.filters import Filters
from incidents.queue import PAGE, find_rows
from tenants import scope
from tests.bench.agreement import Wrong
from tests.bench.measuring import Goal, ratios
from tests.bench.reads.people import Administrator, Asked, Reader, overheard
from tests.bench.reads.sampling import Timings, Turn, in_turns, timed

QUESTIONS = (Filters(), Filters(severities=("medium", "high")), Filters(severities=("high",)))
_SEVERITIES = ([1, 2, 3, 4, 5], [3, 4], [4])
ASKS = 24  # of the floor and of ours, per round and set size
PLAIN_ASKS = {20: 6, 200: 3, 1_000: 3}  # of the plain index, which takes seconds where there are many tenants
FASTER = {20: 50, 200: 300, 1_000: 1_000}
FAR = 400  # pages down
_COLUMNS = """id, tenant_id, number, name, status, remote_status, severity, remote_severity, assigned_to, alert_count,
    host, account, updated_at, changed_at, redirect_number, is_stub, cleaned, gone_at"""
FLOOR = f"SELECT {_COLUMNS} FROM incidents_incident WHERE is_open ORDER BY updated_at DESC, id DESC LIMIT 50"  # noqa: S608
# What somebody writes first. Row-level security does not hold it up, which the queue has to do with.
PLAINLY = f"""
SELECT {_COLUMNS} FROM {{table}} WHERE tenant_id = ANY(%(tenants)s::bigint[]) AND is_open
    AND severity = ANY(%(severities)s::smallint[]) ORDER BY updated_at DESC, id DESC LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608


def run(
    readers: Mapping[int, Sequence[Reader]], administrator: Administrator, *, rounds: int
) -> tuple[list[Goal], dict[str, Any]]:
    """All of it. Raises Wrong where the queue shows other rows than the plain way."""
    for several in readers.values():
        for reader in several:
            shows_the_same(reader, administrator)
    found = in_turns(_ways(readers, administrator), rounds=rounds)
    goals = [goal for count in readers for goal in _goals(found, count)]
    deep, figures = far_down(readers, administrator, rounds=rounds)
    return goals + deep, found.told() | figures


def shows_the_same(reader: Reader, administrator: Administrator) -> None:
    """The first page of each question, row by row. Raises Wrong."""
    for place, question in enumerate(QUESTIONS):
        with scope.person(reader.user):
            ours = find_rows(question, reader.tenants, None)
        theirs = plainly(administrator, reader, place, table="incidents_incident")
        if [row[:3] for row in ours] != [row[:3] for row in theirs]:
            raise Wrong(f"{reader.user} sees other rows in the queue than the plain way finds.")


def plainly(
    administrator: Administrator, reader: Reader, place: int = 0, *, table: str = "bench.plain", offset: int = 0
) -> list[tuple[Any, ...]]:
    """One page and one row, the way that comes to mind first."""
    parameters = {"tenants": list(reader.tenants), "severities": _SEVERITIES[place % 3], "limit": PAGE + 1}
    return administrator.ask(PLAINLY.format(table=table), parameters | {"offset": offset})


def _ways(readers: Mapping[int, Sequence[Reader]], administrator: Administrator) -> dict[str, Turn]:
    ways: dict[str, Turn] = {}
    for count, several in readers.items():
        ways[f"floor beside {count}"] = lambda: timed(lambda _: administrator.ask(FLOOR), ASKS)
        ways[f"queue of {count}"] = lambda several=several: _ours(several)  # type: ignore[misc]
        ways[f"queue of {count}, statements alone"] = lambda several=several: _alone(several, administrator)  # type: ignore[misc]
        ways[f"queue of {count}, without RLS"] = lambda several=several: _without(several, administrator)  # type: ignore[misc]
        ways[f"plain index, {count}"] = lambda count=count, several=several: timed(  # type: ignore[misc]
            lambda number: plainly(administrator, several[number % len(several)], number), PLAIN_ASKS[count]
        )
    return ways


def _ours(several: Sequence[Reader]) -> list[float]:
    def asking(reader: Reader) -> list[float]:
        with scope.person(reader.user):
            return timed(lambda n: find_rows(QUESTIONS[n % 3], reader.tenants, None), ASKS // len(several))

    return [spent for reader in several for spent in asking(reader)]


def _alone(several: Sequence[Reader], administrator: Administrator) -> list[float]:
    """The same statements as the web's role, on a connection like the one past row-level security."""

    def asking(reader: Reader) -> list[float]:
        asked, web = statements(reader), Administrator(administrator.url)
        web.becomes(reader.user)
        try:
            for one in asked:
                web.ask(*one)  # a new connection reads the catalogue first
            return timed(lambda n: web.ask(*asked[n % len(asked)]), ASKS // len(several))
        finally:
            web.close()

    return [spent for reader in several for spent in asking(reader)]


def _without(several: Sequence[Reader], administrator: Administrator) -> list[float]:
    """The very same statements, asked by somebody whom row-level security does not hold."""

    def asking(asked: Sequence[Asked]) -> list[float]:
        return timed(lambda n: administrator.ask(*asked[n % len(asked)]), ASKS // len(several))

    return [spent for reader in several for spent in asking(statements(reader))]


def statements(reader: Reader) -> list[Asked]:
    """What the portal sends for the three questions."""
    with scope.person(reader.user), overheard() as heard:
        for question in QUESTIONS:
            find_rows(question, reader.tenants, None)
    return heard


def _goals(found: Timings, count: int) -> list[Goal]:
    ours, floor = f"queue of {count}", f"floor beside {count}"
    plain = ratios(found.medians(f"plain index, {count}"), found.medians(ours))
    without = ratios(found.medians(f"{ours}, statements alone"), found.medians(f"{ours}, without RLS"))
    return [
        Goal(f"{ours} tenants, p95 to the floor's", ratios(found.tails(ours), found.tails(floor)), 15, at_most=True),
        Goal(f"{ours} tenants, median in ms", found.medians(ours), 3, at_most=True),
        Goal(f"{ours} tenants, faster than a plain index", plain, FASTER[count]),
        Goal(f"{ours} tenants, row-level security", without, 1.3, at_most=True),
    ]


def far_down(
    readers: Mapping[int, Sequence[Reader]], administrator: Administrator, *, rounds: int
) -> tuple[list[Goal], dict[str, Any]]:
    """The 400th page against the first, for those whose list is so long. Raises Wrong where it is another page."""
    goals: list[Goal] = []
    figures: dict[str, Any] = {}
    for count, (reader, *_) in readers.items():
        before = plainly(administrator, reader, table="incidents_incident", offset=(FAR - 1) * PAGE - 1)
        if len(before) <= PAGE:
            continue
        place: Place = (before[0][12], before[0][0])
        with scope.person(reader.user):
            if [row[0] for row in find_rows(Filters(), reader.tenants, place)][:PAGE] != [row[0] for row in before[1:]]:
                raise Wrong(f"The {FAR}th page of {count} tenants is not what comes after {FAR - 1} pages.")
            found = in_turns(
                {
                    f"page 1 of {count}": lambda reader=reader: timed(  # type: ignore[misc]
                        lambda _: find_rows(Filters(), reader.tenants, None), ASKS
                    ),
                    f"page {FAR} of {count}": lambda reader=reader, place=place: timed(  # type: ignore[misc]
                        lambda _: find_rows(Filters(), reader.tenants, place), ASKS
                    ),
                },
                rounds=rounds,
            )
        slower = ratios(found.medians(f"page {FAR} of {count}"), found.medians(f"page 1 of {count}"))
        goals.append(Goal(f"page {FAR} to page 1, {count} tenants", slower, 1.5, at_most=True))
        figures |= found.told()
    return goals, figures
