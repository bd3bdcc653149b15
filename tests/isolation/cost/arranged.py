"""Incidents enough for a plan to matter, made in two statements; and people with few, some, and all tenants."""

from django.db import connection

from accounts.models import User
from accounts.roles import Role
from tenants.models import Tenant
from tests.cast import make_person, make_tenant

# Words stand in as many texts as an analyst would meet: one in every text, one in a few, one in none.
EVERYWHERE, SELDOM, NOWHERE = "suspicious", "needle", "unheardof"
_INCIDENTS = """
INSERT INTO incidents_incident (tenant_id, number, name, status, remote_status, severity, remote_severity, is_open,
    assigned_to, classification, determination, updated_at, created_at, updated_text, alert_count, evidence_count, host,
    account, web_link, content_hash, cleaned, is_stub, parser_version, first_seen_at, changed_at)
SELECT (%(tenants)s::bigint[])[1 + n %% %(count)s], n, 'Suspicious sign-in ' || n,
    CASE WHEN n %% 4 = 0 THEN 3 ELSE 1 END, 'Active', 1 + n %% 4, 'High', n %% 4 <> 0,
    CASE WHEN n %% 3 = 0 THEN 'ada@example.com' END, '', '',
    now() - n * interval '7 seconds', now(), '', 2, 5, 'host-' || n %% 5000, 'user-' || n %% 2000, '',
    decode(repeat('0', 32), 'hex'), false, false, 1, now(), now()
FROM generate_series(1, %(rows)s) n
"""
_SEARCH = """
INSERT INTO incidents_incidentsearch (incident_id, tenant_id, text)
SELECT id, tenant_id, lower(name) || ' ' || host || ' ' || account || repeat(' 192.0.2.' || number % 250, 20)
    || CASE WHEN number % 3331 = 0 THEN ' needle' ELSE '' END
FROM incidents_incident
"""
TABLES = ("incidents_incident", "incidents_incidentsearch")


def make_estate(tenants: int, rows: int) -> list[Tenant]:
    """So many tenants with so many incidents between them, as the planner likes to find them."""
    made = [make_tenant(f"Tenant {number}") for number in range(tenants)]
    with connection.cursor() as cursor:
        keys = [tenant.pk for tenant in made]
        cursor.execute(_INCIDENTS, {"tenants": keys, "count": tenants, "rows": rows})
        cursor.execute(_SEARCH)
        for table in (*TABLES, "tenants_membership"):
            cursor.execute(f"VACUUM (ANALYZE) {table}")
    return made


def make_reader(tenants: list[Tenant]) -> User:
    """Somebody who may read these tenants."""
    return make_person(f"reader of {len(tenants)}", *[(tenant, Role.VIEWER) for tenant in tenants])
