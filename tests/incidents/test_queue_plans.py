"""How PostgreSQL answers the queue's hot queries: planned as the web role for a person, with rows enough to choose.

Each is looked at for few and for many tenants: the inner query comes from an index alone, and no big table is read
through.
"""

from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from accounts.models import User
from accounts.roles import Role
from incidents import queue_statements, rollup
from incidents.facets import CELLS, LIVE, sums_statement
from incidents.filters import Filters
from incidents.queue import PAGE, bounds
from tenants import scope
from tenants.scope import member_tenants
from tests import rollups
from tests.cast import make_person, make_tenant
from tests.conftest import database_role
from tests.databases import copied_database

TENANTS = 300
BIG = (
    "incidents_incident",
    "incidents_evidence",
    "incidents_alert",
    "incidents_incidentsearch",
    "incidents_incidenttag",
)
HASH = "ab" * 32

# 60,000 incidents, one in eight open, a third of them with an alert and five pieces of evidence.
FILL = """
INSERT INTO incidents_incident (tenant_id, number, name, status, remote_status, severity, remote_severity, is_open,
    classification, determination, updated_at, updated_text, alert_count, evidence_count, host, account, web_link,
    content_hash, cleaned, is_stub, parser_version, first_seen_at, changed_at, assigned_to)
SELECT t.ids[1 + n %% %(tenants)s], n, 'Incident ' || n, CASE WHEN n %% 8 = 0 THEN 1 ELSE 3 END, 'x', 1 + n %% 4, 'x',
    n %% 8 = 0, '', '', now() - n * interval '1 minute', '', 1, 1, '', '', '', '\\x00', false, false, 1, now(), now(),
    CASE WHEN n %% 3 = 0 THEN NULL ELSE 'person' || n %% 40 END
FROM generate_series(1, 60000) n, (SELECT array_agg(id) AS ids FROM tenants_tenant) t;
INSERT INTO incidents_incidentsearch (incident_id, tenant_id, text)
SELECT id, tenant_id, 'incident ' || number FROM incidents_incident;
INSERT INTO incidents_incidenttag (tenant_id, incident_id, tag)
SELECT tenant_id, id, 'tag' || number %% 50 FROM incidents_incident;
INSERT INTO incidents_alert (tenant_id, incident_id, alert_id, title, description, category, status, severity,
    remote_severity, service_source, detection_source, classification, determination, investigation_state, assigned_to,
    actor, threat_family, techniques, content_hash)
SELECT tenant_id, id, 'a' || id, '', '', '', '', 1, '', '', '', '', '', '', '', '', '', '[]', '\\x00'
FROM incidents_incident WHERE number %% 3 = 0;
INSERT INTO incidents_evidence (tenant_id, alert_id, kind, value, key, verdict, remediation_status, data)
SELECT tenant_id, id, 'file', CASE WHEN id %% 5000 = 0 AND n = 1 THEN %(hash)s ELSE md5(id::text || n) END,
    decode(md5(n::text), 'hex'), '', '', '{}'
FROM incidents_alert, generate_series(1, 5) n;
"""
# The index on values; IF NOT EXISTS because a migration may have made it.
INDEX = f"""
CREATE INDEX IF NOT EXISTS evidence_by_exact_value ON incidents_evidence (value, tenant_id, id)
WHERE kind IN ({queue_statements.KINDS})
"""


@pytest.fixture(scope="module")
def people(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Any:
    """Somebody with 20 tenants and somebody with all, over rows enough to choose between indexes."""
    with django_db_blocker.unblock(), copied_database():
        tenants = [make_tenant(f"Tenant {n}") for n in range(TENANTS)]
        few = make_person("few", *((tenant, Role.ANALYST) for tenant in tenants[:20]))
        many = make_person("many", *((tenant, Role.ANALYST) for tenant in tenants))
        with connection.cursor() as cursor:
            cursor.execute(FILL, {"tenants": TENANTS, "hash": HASH})
            cursor.execute(rollups.fill())
            cursor.execute(INDEX)
            # As autovacuum leaves them: only pages known to be visible to all are read in the index alone.
            for table in (*BIG, "incidents_rollup", "tenants_membership"):
                cursor.execute(f"VACUUM ANALYZE {table}")
        yield {"few": few, "many": many}


def plan(user: User, statement: str, parameters: dict[str, Any]) -> str:
    with database_role("web"), scope.person(user), connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}", parameters)
        return "\n".join(row[0] for row in cursor.fetchall())


def asked_by(user: User) -> dict[str, Any]:
    with scope.person(user):
        tenants = list(member_tenants(user.pk).values_list("tenant_id", flat=True))
    return {"tenants": tenants, "limit": PAGE + 1, **bounds()}


def assert_reads_no_big_table_through(found: str) -> None:
    assert [table for table in BIG if f"Seq Scan on {table} " in found] == [], found


@pytest.mark.parametrize("who", ["few", "many"])
@pytest.mark.parametrize("filters", [Filters(), Filters(severities=("high",)), Filters(severities=("high", "medium"))])
def test_the_newest_open_incidents_come_from_an_index_alone(people: Any, who: str, filters: Filters) -> None:
    parameters = asked_by(people[who])
    found = plan(people[who], queue_statements.rows_statement(filters, None, parameters), parameters)
    assert "Index Only Scan using open_incident_" in found, found
    assert "incidents_incident_pkey" in found or "an_incident_belongs_to_one_tenant" in found, found
    assert_reads_no_big_table_through(found)


@pytest.mark.parametrize("who", ["few", "many"])
def test_a_page_far_down_and_closed_incidents_come_from_an_index_alone_too(people: Any, who: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT updated_at, id FROM incidents_incident ORDER BY updated_at LIMIT 1 OFFSET 20000")
        place = cursor.fetchone()
    parameters = asked_by(people[who])
    found = plan(people[who], queue_statements.rows_statement(Filters(), place, parameters), parameters)
    assert "Index Only Scan using open_incident_" in found, found
    parameters = asked_by(people[who])
    found = plan(people[who], queue_statements.rows_statement(Filters(status="all"), None, parameters), parameters)
    assert "Index Only Scan using incident_newest_first" in found, found
    assert_reads_no_big_table_through(found)


@pytest.mark.parametrize("who", ["few", "many"])
def test_an_exact_value_is_looked_up_by_equality_under_row_level_security(people: Any, who: str) -> None:
    parameters = asked_by(people[who])
    filters = Filters(text=HASH, status="all")
    found = plan(people[who], queue_statements.held_statement(filters, None, parameters), parameters)
    assert "using evidence_by_exact_value" in found, found
    assert "Index Cond: ((value = ANY" in found or "Index Cond: (value = ANY" in found, found
    assert_reads_no_big_table_through(found)


@pytest.mark.parametrize("who", ["few", "many"])
def test_tags_are_looked_up_one_by_one_behind_the_fence(people: Any, who: str) -> None:
    parameters = asked_by(people[who])
    found = plan(people[who], queue_statements.rows_statement(Filters(tag="tag7"), None, parameters), parameters)
    assert "using a_tag_stands_once" in found, found
    assert_reads_no_big_table_through(found)


@pytest.mark.parametrize("who", ["few", "many"])
def test_a_number_is_looked_up_by_its_unique_key(people: Any, who: str) -> None:
    parameters = asked_by(people[who])
    found = plan(people[who], queue_statements.held_statement(Filters(text="#4712"), None, parameters), parameters)
    assert_reads_no_big_table_through(found)


@pytest.mark.parametrize("who", ["few", "many"])
def test_merges_and_counts_read_no_big_table_through(people: Any, who: str) -> None:
    parameters = asked_by(people[who]) | {"numbers": list(range(8, 400, 8))}
    found = plan(people[who], queue_statements.MERGED, parameters)
    assert "using merged_into" in found, found
    assert_reads_no_big_table_through(found)
    assert "incidents_incident" not in plan(people[who], CELLS, parameters)
    opened = rollup.cells_with(statuses=rollup.OPEN)
    sums = [sums_statement(opened, by_tenant=by_tenant) for by_tenant in (False, True)]
    for statement in (rollup.OPEN_OF_TENANTS, *sums):
        assert "incidents_incident" not in plan(people[who], statement, parameters)
    parameters = asked_by(people[who]) | {"limit": 1001}
    keys = queue_statements.keys_statement(Filters(), None, parameters)
    assert_reads_no_big_table_through(plan(people[who], LIVE.format(keys=keys), parameters))
