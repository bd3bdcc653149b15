"""M2: a table for spreadsheets, in which nothing that an attacker wrote is a formula and nothing is lost."""

import csv
import io

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from incidents.spreadsheet import COLUMNS, harmless
from tests.conftest import as_worker
from tests.incidents.arranged import connected_tenant, incident, store
from tests.journeys.hostile_payloads import FORMULAS, payloads

STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def table(text: str) -> list[list[str]]:
    """Read as RFC 4180 says."""
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@given(
    st.text(
        alphabet=st.one_of(
            st.sampled_from("=+-@\t\r\n \"',;＝＋－＠a1\u200b\ufeff"), st.characters(exclude_categories=["Cs"])
        )
    )
)
def test_m2_no_cell_begins_as_a_formula_and_every_text_comes_back(text: str) -> None:
    cell = harmless(text)
    assert not cell.startswith(STARTS)
    assert not cell.lstrip(" \u200b\ufeff\u00a0").startswith(STARTS)
    assert text in {cell, cell[1:]}
    assert cell == text or cell == f"'{text}"


@pytest.mark.parametrize("text", ["Ransomware", "", "7", "a=b", "1-2", "Käse", "日本語", "(=1)"])
def test_m2_what_is_no_formula_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_m2_every_known_formula_is_disarmed() -> None:
    formulas = [make("") for make in FORMULAS]
    assert len(formulas) >= 15
    assert [text for text in formulas if harmless(text) == text] == [
        ";=1+1"
    ]  # a cell of its own nowhere but in files that use ;


@pytest.mark.django_db
def test_m2_an_export_of_hostile_incidents_is_one_row_each_and_no_formula() -> None:
    tenant = connected_tenant()
    texts = payloads()
    for number, text in enumerate(texts, start=1):
        store(tenant, incident(number, incidentName=text, assignedTo=text, tags=[text], classification=text))
    out = io.StringIO()
    with as_worker():
        call_command("export_incidents", "--format", "csv", stdout=out, stderr=io.StringIO())
    first, *rows = table(out.getvalue())
    assert first == list(COLUMNS)
    assert len(rows) == len(texts)
    assert {len(row) for row in rows} == {len(COLUMNS)}
    assert [cell for row in rows for cell in row if cell.startswith(STARTS)] == []
    name = COLUMNS.index("name")
    kept = [row[name] for row in rows]
    assert sum(cell.lstrip("'") == text.lstrip("'") for cell, text in zip(kept, texts, strict=True)) >= len(texts) - 5
