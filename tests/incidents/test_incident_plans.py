"""The plans behind an incident's page, as the web's role under row-level security: bounded by what is asked for."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from incidents import evidence_tables, sightings, story
from incidents.evidence_tables import OF_ALERT, OF_INCIDENT, PICK
from tenants import scope
from tests.cast import Cast, make_alert, make_cast, make_incident
from tests.conftest import database_role

pytestmark = pytest.mark.django_db

ALERTS, PIECES = 120, 100
FILL = """
INSERT INTO incidents_evidence (tenant_id, alert_id, kind, value, key, verdict, remediation_status, data)
SELECT %s, %s, 'ip', 'value ' || (%s + n), decode(md5(n::text), 'hex'), '', '', '{}' FROM generate_series(1, %s) n
"""


@pytest.fixture
def parameters() -> Iterator[dict[str, Any]]:
    """Contoso and Fabrikam with many incidents of some alerts each; what alice asks about the first, in her scope."""
    cast: Cast = make_cast()
    with connection.cursor() as cursor:
        for tenant in (cast.contoso, cast.fabrikam, cast.northwind):
            for number in range(ALERTS):
                made = make_incident(tenant, 100 + number)
                alert = make_alert(made, f"a-{number}")
                cursor.execute(FILL, [tenant.pk, alert.pk, 7 * number, PIECES])
        cursor.execute("ANALYZE")
    with scope.person(cast.alice), database_role("web"):
        yield {
            "tenant": cast.contoso.pk, "incident": cast.contoso.incidents.get(number=100).pk, "alert": "a-0",
            "first": 0, "limit": 15, "most": 200, "most_processes": 40, "tenants": [cast.fabrikam.pk],
            "values": [f"value {n}" for n in range(40)],
        }  # fmt: skip


def plan_of(statement: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """The nodes of the plan that read evidence."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        (plan,) = cursor.fetchone()
    waiting, found = [(plan if isinstance(plan, list) else json.loads(plan))[0]["Plan"]], []
    while waiting:
        node = waiting.pop()
        waiting += node.get("Plans", ())
        if node.get("Relation Name") == "incidents_evidence" or "evidence" in node.get("Index Name", ""):
            found.append(node)
    return found


@pytest.mark.parametrize(
    "statement",
    [
        PICK.format(owned=OF_INCIDENT, narrow=""),
        PICK.format(owned=OF_ALERT, narrow="AND e.kind = 'ip'"),
        story.MOMENTS,
        sightings.VALUES,
        evidence_tables.DEVICE_NAMES,
    ],
    ids=["tables", "tables of an alert", "story", "values", "device names"],
)
def test_an_incidents_own_evidence_is_found_by_its_alerts(parameters: dict[str, Any], statement: str) -> None:
    nodes = plan_of(statement, parameters)
    assert nodes
    for node in nodes:
        assert node["Node Type"] != "Seq Scan"
        assert node["Actual Rows"] * node["Actual Loops"] <= PIECES
    assert any("alert_id" in node.get("Index Cond", "") for node in nodes)


@pytest.mark.parametrize("statement", [sightings.HERE, sightings.ELSEWHERE], ids=["related", "elsewhere"])
def test_values_of_others_are_found_in_the_index_by_value_and_tenant(
    parameters: dict[str, Any], statement: str
) -> None:
    with sightings._bounded_scans():
        nodes = plan_of(statement, parameters)
    assert nodes
    for node in nodes:
        assert node["Index Name"] == "evidence_by_exact_value"
        assert re.search(r"value = .*tenant_id = ", node["Index Cond"])
        assert node["Actual Loops"] == len(parameters["values"])
