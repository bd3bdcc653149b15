"""Words that stand in few texts and in none; exact values over all evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from incidents.filters import Filters
from incidents.queue import find_rows
from incidents.queue_statements import KINDS
from tenants import scope
from tests.bench.agreement import Wrong
from tests.bench.measuring import Goal, ratios
from tests.bench.reads import data
from tests.bench.reads.people import Administrator, Reader
from tests.bench.reads.sampling import Turn, in_turns, timed

ASKS = 8
VALUE_ASKS = 25
VALUES = 100
# Sightings of values per tenant. The kinds stand there literally, as the index on values has them.
SIGHTINGS = f"""
SELECT value, tenant_id, count(*) FROM incidents_evidence
WHERE value = ANY(%s::text[]) AND kind IN ({KINDS}) AND tenant_id = ANY(%s::bigint[]) GROUP BY value, tenant_id
"""  # noqa: S608
SOME_VALUES = """
SELECT DISTINCT value FROM (SELECT value FROM incidents_evidence
    WHERE id %% 997 = 3 AND value <> %s AND id < 5 * 997 * %s AND kind <> 'process') found LIMIT %s
"""


def words(
    readers: Mapping[int, Sequence[Reader]], administrator: Administrator, *, rounds: int
) -> tuple[list[Goal], dict[str, Any]]:
    """A word that nobody has written must not cost more than one that somebody has. Raises Wrong if it is found."""
    ways: dict[str, Turn] = {}
    for count, (reader, *_) in readers.items():
        with scope.person(reader.user):
            seen, unseen = (find_rows(Filters(text=w), reader.tenants, None) for w in (data.SELDOM, data.NOWHERE))
        if unseen or (count == max(readers) and not seen):
            raise Wrong(
                f"{count} tenants: {len(seen)} incidents with a seldom word, {len(unseen)} with one unheard of."
            )
        for word in (data.SELDOM, data.NOWHERE):
            ways[f"{word} in {count}"] = lambda reader=reader, word=word: _asking(reader, word)  # type: ignore[misc]
    found = in_turns(ways, rounds=rounds)
    goals = []
    for count in readers:
        slower = ratios(found.medians(f"{data.NOWHERE} in {count}"), found.medians(f"{data.SELDOM} in {count}"))
        goals.append(Goal(f"a word unheard of to a seldom one, {count} tenants", slower, 3, at_most=True))
    return goals, found.told()


def _asking(reader: Reader, word: str, times: int = ASKS) -> list[float]:
    with scope.person(reader.user):
        return timed(lambda _: find_rows(Filters(text=word), reader.tenants, None), times)


def values(
    readers: Mapping[int, Sequence[Reader]], administrator: Administrator, *, rounds: int
) -> tuple[list[Goal], dict[str, Any]]:
    """An exact value over all evidence against ``SELECT 1``, as the web asks for a person. Raises Wrong."""
    rows = administrator.ask(SOME_VALUES, [data.HOT_VALUE, VALUES, VALUES])
    some = [value for (value,) in rows]
    ways: dict[str, Turn] = {}
    for count, (reader, *_) in readers.items():
        asked: dict[str, list[list[str]]] = {
            "one value": [[value] for value in some[:VALUE_ASKS]],
            "a value seen everywhere": [[data.HOT_VALUE]] * 3,
            f"{VALUES} values": [some] * 3,
        }
        _finds_the_same(reader, some, administrator)
        ways[f"the search box, {count}"] = (
            lambda reader=reader: [  # type: ignore[misc]
                spent for value in some[:ASKS] for spent in _asking(reader, value, 1)
            ]
        )
        ways[f"SELECT 1 beside {count}"] = lambda reader=reader: _sent(reader, [("SELECT 1", [])] * VALUE_ASKS)  # type: ignore[misc]
        for name, lists in asked.items():
            ways[f"{name}, {count}"] = lambda reader=reader, lists=lists: _sent(  # type: ignore[misc]
                reader, [(SIGHTINGS, [each, _array(reader)]) for each in lists]
            )
    found = in_turns(ways, rounds=rounds)
    goals = []
    for count in readers:
        one, none = found.tails(f"one value, {count}"), found.tails(f"SELECT 1 beside {count}")
        goals.append(Goal(f"an exact value, {count} tenants, p95 to SELECT 1", ratios(one, none), 25, at_most=True))
        many = ratios(found.medians(f"{VALUES} values, {count}"), found.medians(f"one value, {count}"))
        goals.append(Goal(f"{VALUES} values to one, {count} tenants", many, 5, at_most=True))
    return goals, found.told()


def _sent(reader: Reader, asked: Sequence[tuple[str, Sequence[Any]]]) -> list[float]:
    with scope.person(reader.user), connection.cursor() as cursor:
        return timed(lambda n: (cursor.execute(*asked[n]), cursor.fetchall()), len(asked))


def _finds_the_same(reader: Reader, some: Sequence[str], administrator: Administrator) -> None:
    """As many sightings per value and tenant as there are past row-level security. Raises Wrong."""
    with scope.person(reader.user), connection.cursor() as cursor:
        cursor.execute(SIGHTINGS, [list(some), _array(reader)])
        ours = sorted(cursor.fetchall())
    if not ours and len(reader.tenants) == data.TENANTS:
        raise Wrong("No value was found at all.")
    if ours != sorted(administrator.ask(SIGHTINGS, [list(some), _array(reader)])):
        raise Wrong(f"{reader.user} is shown other sightings than there are.")


def _array(reader: Reader) -> str:
    return "{" + ",".join(map(str, reader.tenants)) + "}"
