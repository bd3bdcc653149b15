"""The audit table, its append function and the triggers that refuse change."""

import django.db.models
from django.db import migrations, models

APPEND_ONLY = """
CREATE FUNCTION audit_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit log is append-only.' USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_refuse_change();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse_change();

-- Runs as portal_audit, the only role that may insert; takes many events at once; uses the database's clock.
CREATE FUNCTION audit_append(events jsonb) RETURNS SETOF bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO audit_auditevent (at, actor, action, tenant, subject, outcome, details, request_id, address)
    SELECT clock_timestamp(), left(e.actor, 200), left(e.action, 80), e.tenant, left(coalesce(e.subject, ''), 300),
           e.outcome, coalesce(e.details, '{}'), left(coalesce(e.request_id, ''), 32), left(coalesce(e.address, ''), 64)
    FROM jsonb_to_recordset(events) AS e(actor text, action text, tenant uuid, subject text, outcome text,
                                         details jsonb, request_id text, address text)
    RETURNING id
$$;
GRANT SELECT, INSERT ON audit_auditevent TO portal_audit;
GRANT USAGE ON SEQUENCE audit_auditevent_id_seq TO portal_audit;
GRANT SELECT ON audit_auditevent TO portal_web, portal_worker;
ALTER FUNCTION audit_append(jsonb) OWNER TO portal_audit;
REVOKE ALL ON FUNCTION audit_append(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_append(jsonb) TO portal_web, portal_worker, portal_owner;
"""


class Migration(migrations.Migration):
    initial = True
    dependencies = []

    operations = [
        migrations.CreateModel(
            name="AuditEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(db_index=True)),
                ("actor", models.CharField(max_length=200, help_text="Who: a person's name and id, 'command line', 'worker'.")),
                ("action", models.CharField(db_index=True, max_length=80)),
                ("tenant", models.UUIDField(db_index=True, null=True)),
                ("subject", models.CharField(blank=True, max_length=300)),
                (
                    "outcome",
                    models.CharField(
                        choices=[("done", "Done"), ("denied", "Denied"), ("failed", "Failed")], max_length=10
                    ),
                ),
                ("details", models.JSONField(default=dict)),
                ("request_id", models.CharField(blank=True, max_length=32)),
                (
                    "address",
                    models.CharField(
                        blank=True, help_text="The network address the action came from.", max_length=64
                    ),
                ),
            ],
            options={"ordering": ["-id"], "verbose_name": "audit event"},
        ),
        migrations.RunSQL(APPEND_ONLY, migrations.RunSQL.noop),
    ]
