"""The history of incidents; an index that finds exact values under row-level security; a bare count of tenants.

The index of before was on left(value, 256), and PostgreSQL does not use a condition with such a function under
row-level security: whoever could make it fail or talk would learn of rows that are not theirs. Plain equality is fine.
Values have at most 2,000 bytes, so an index entry can hold them (its limit is a third of a page, 2,704 bytes).
"""

import django.db.models.deletion
from django.db import migrations, models

from tenants.rls import belongs, content, member

# Kept as it was when this ran; incidents/sightings.py has the same list, and a test holds them together.
KINDS = "'device', 'file', 'ip', 'mailbox', 'mailmessage', 'url', 'user'"

INDEX = f"""
DROP INDEX IF EXISTS evidence_by_value;
CREATE INDEX evidence_by_exact_value ON incidents_evidence (value, tenant_id, id) WHERE kind IN ({KINDS});
"""
BACK = """
DROP INDEX IF EXISTS evidence_by_exact_value;
CREATE INDEX evidence_by_value ON incidents_evidence (left(value, 256), tenant_id);
"""
# How many tenants that the person is no member of hold this value, a hundred at most. It gives back a number and
# nothing else, and only for a value that one of the person's own tenants holds: nobody can try values out with it.
COUNT = f"""
CREATE FUNCTION incidents_tenants_out_of_sight(wanted text) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH RECURSIVE holders (tenant_id, steps) AS (
        (SELECT e.tenant_id, 1 FROM incidents_evidence e WHERE e.value = wanted AND e.kind IN ({KINDS})
         ORDER BY e.tenant_id LIMIT 1)
        UNION ALL
        SELECT (SELECT e.tenant_id FROM incidents_evidence e WHERE e.value = wanted AND e.kind IN ({KINDS})
                AND e.tenant_id > holders.tenant_id ORDER BY e.tenant_id LIMIT 1), steps + 1
        FROM holders WHERE holders.tenant_id IS NOT NULL AND steps < 1000)
    SELECT CASE WHEN bool_or({member("h.tenant_id")})
        THEN least(count(*) FILTER (WHERE NOT ({member("h.tenant_id")})), 100)::integer ELSE 0 END
    FROM holders h WHERE h.tenant_id IS NOT NULL
$$;
REVOKE ALL ON FUNCTION incidents_tenants_out_of_sight(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION incidents_tenants_out_of_sight(text) TO portal_web;
"""  # noqa: S608  constants only


class Migration(migrations.Migration):
    dependencies = [("incidents", "0007_saved_views"), ("tenants", "0005_what_is_due_in_shards")]

    operations = [
        migrations.CreateModel(
            name="IncidentChange",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seen_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                ("differences", models.JSONField()),
                ("by", models.TextField(blank=True)),
                ("incident", models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="history", to="incidents.incident")),
                ("tenant", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.tenant")),
            ],
            options={"ordering": ["-id"], "base_manager_name": "objects"},
        ),
        migrations.AddConstraint(
            model_name="incidentchange",
            constraint=models.UniqueConstraint(fields=("incident", "tenant", "id"), name="a_change_is_of_one_incident"),
        ),
        content("incidents_incidentchange"),
        belongs("incidents_incidentchange", "incident_id", "incidents_incident"),
        migrations.RunSQL(INDEX, BACK),
        migrations.RunSQL(COUNT, "DROP FUNCTION incidents_tenants_out_of_sight(text);"),
    ]
