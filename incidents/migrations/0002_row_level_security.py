"""Row-level security of incident content, composite foreign keys, and compression of the raw bytes."""

from django.db import migrations

from tenants.rls import belongs, content

CONTENT = (
    "incident",
    "incidentraw",
    "incidentsearch",
    "alert",
    "evidence",
    "incidenttag",
    "incidenttechnique",
    "comment",
    "rollup",
    "quarantine",
)
IN_INCIDENT = ("incidentraw", "incidentsearch", "alert", "incidenttag", "incidenttechnique", "comment")

INDEXES = """
-- Exact look-up of an address, hash, host … across tenants; long values are cut because an index entry has a limit.
CREATE INDEX evidence_by_value ON incidents_evidence (left(value, 256), tenant_id);
ALTER TABLE incidents_rollup SET (fillfactor = 50);
-- Index-only scans of the queue need a fresh visibility map.
ALTER TABLE incidents_incident SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
-- lz4 costs less CPU than the default where the server was built with it.
DO $$ BEGIN
    ALTER TABLE incidents_incidentraw ALTER COLUMN body SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL; END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0001_initial"), ("tenants", "0002_row_level_security")]
    operations = [
        *[content(f"incidents_{table}") for table in CONTENT],
        *[belongs(f"incidents_{table}", "incident_id", "incidents_incident") for table in IN_INCIDENT],
        belongs("incidents_evidence", "alert_id", "incidents_alert"),
        migrations.RunSQL(INDEXES, migrations.RunSQL.noop),
    ]
