"""How the queue's statements are sent, where that was found to decide whether a page takes milliseconds or seconds."""

import re
from typing import Any

import pytest
from django.db import connection

from incidents.filters import Filters
from incidents.queue import bounds, find_rows
from incidents.queue_statements import rows_statement
from incidents.selecting import select
from tenants import scope
from tests.cast import Cast, make_cast, make_incident


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def plan_of(cast: Cast, filters: Filters) -> str:
    """As PostgreSQL plans it where it would rather not go row by row."""
    parameters: dict[str, Any] = {"tenants": [cast.contoso.pk], "limit": 51, **bounds()}
    statement = rows_statement(filters, None, parameters)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE incidents_incident, incidents_incidentsearch; SET LOCAL enable_nestloop = off")
        cursor.execute(f"EXPLAIN {statement}", parameters)
        return "\n".join(row[0] for row in cursor.fetchall())


def test_texts_are_looked_up_one_by_one_and_never_joined(cast: Cast) -> None:
    for number in range(1, 60):
        make_incident(cast.contoso, number, words="needle" if number == 7 else "hay")
    plan = plan_of(cast, Filters(text="needle"))
    assert "incidents_incidentsearch" in plan
    assert not re.search(r"(Hash|Merge) (\w+ )?Join", plan), plan


def test_a_page_names_its_tenants_once() -> None:
    assert rows_statement(Filters(), None, {}).count("%(tenants)s") == 1


def test_a_number_among_words_finds_an_incident_without_any_text(cast: Cast) -> None:
    made = make_incident(cast.contoso, 4711, name="")
    with scope.tenant(cast.contoso.pk):
        made.search.delete()
    make_incident(cast.fabrikam, 4711)
    with scope.person(cast.bob):
        found = find_rows(Filters(text='"4711"'), [cast.contoso.pk], None)
    assert [row[0] for row in found] == [made.pk]


@pytest.mark.parametrize(
    ("kind", "values"), [("bigint", [1, 2, 3]), ("bigint", []), ("text", ["a,b", '"', "{}"]), ("boolean", [True])]
)
def test_lists_arrive_as_they_are(cast: Cast, kind: str, values: list[Any]) -> None:
    with scope.person(cast.bob):
        assert select(f"SELECT %(list)s::{kind}[]", {"list": values}) == [(values,)]
