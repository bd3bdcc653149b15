"""One question of one person, asked in turns with row-level security and without."""

import statistics
import time
from dataclasses import dataclass
from typing import Any

from django.db import connection

from accounts.models import User
from incidents.filters import Filters
from incidents.queue import find_rows
from tenants import scope
from tenants.scope import member_tenants
from tests.conftest import database_role
from tests.isolation.cost.arranged import EVERYWHERE, NOWHERE, SELDOM, TABLES

TIMES = 5  # asks within one turn, of which the middle one counts
FEWEST = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What an analyst asks of the queue. ``kind`` says which limit holds."""

    name: str
    kind: str
    filters: Filters


QUESTIONS = (
    Question("newest open", "queue", Filters()),
    Question("high ones only", "queue", Filters(severities=("high",))),
    Question("a word in every text", "search", Filters(text=EVERYWHERE)),
    Question("a word in few texts", "search", Filters(text=SELDOM)),
    Question("a word in no text", "search", Filters(text=NOWHERE)),
)


def compare(reader: User, question: Question, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Milliseconds with and without, and each round's ratio of the two."""
    until = time.monotonic() + seconds
    found: dict[bool, list[float]] = {True: [], False: []}
    for number in range(rounds):
        if number >= FEWEST and time.monotonic() > until:
            break
        for is_on in (True, False) if number % 2 else (False, True):
            switch(is_on=is_on)
            found[is_on].append(asked(reader, question.filters))
    switch(is_on=True)
    with scope.person(reader):
        tenants = member_tenants(reader.pk).count()
    return {
        "kind": question.kind,
        "question": question.name,
        "tenants": tenants,
        "with": round(statistics.median(found[True]), 3),
        "without": round(statistics.median(found[False]), 3),
        "ratios": [on / off for on, off in zip(found[True], found[False], strict=True)],
    }


def switch(*, is_on: bool) -> None:
    """Row-level security of the incidents' tables, by their owner."""
    with connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} {'ENABLE' if is_on else 'DISABLE'} ROW LEVEL SECURITY")


def asked(reader: User, filters: Filters) -> float:
    """Milliseconds of finding the queue's rows as the web process asks it for this person."""
    with database_role("web"), scope.person(reader):
        tenants = list(member_tenants(reader.pk).values_list("tenant_id", flat=True))
        spent = []
        for _ in range(TIMES + 1):  # the first warms what the switch has made cold
            began = time.perf_counter()
            find_rows(filters, tenants, None)
            spent.append(1000 * (time.perf_counter() - began))
    return statistics.median(spent[1:])
