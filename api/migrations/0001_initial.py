"""Tokens; the order in which incidents changed, kept by triggers; and memberships that a token narrows."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from tenants.rls import USER, belongs, content, shared

# A narrowed scope names the tenants that it leaves (tenants/scope.py). Whatever else reads memberships, the policies of
# content and of connections among them, is narrowed with them. The setting is looked at once per statement.
ONLY = "(SELECT string_to_array(nullif(current_setting('app.only_tenants', true), ''), ',')::bigint[])"
NARROWED = f"""
ALTER POLICY own ON tenants_membership
    USING (user_id = {USER} AND ({ONLY} IS NULL OR tenant_id = ANY ({ONLY}::bigint[])));
"""
WIDE = f"ALTER POLICY own ON tenants_membership USING (user_id = {USER});"
# The order of changes: api/feed.py has the rule. A transaction that writes incidents first draws a number, holds a lock
# that says it until the end, and only then draws the numbers of its rows, which are therefore greater. Per statement,
# so that a page of incidents costs one more; the rights are those of whoever writes the incident. Advisory locks know
# one number of 64 bits: ours begin with 32 bits that no hash of a word in this database's other locks has.
KEPT = """
CREATE SEQUENCE api_change_mark;
GRANT USAGE, SELECT ON SEQUENCE api_change_mark TO portal_worker;
GRANT SELECT ON SEQUENCE api_change_mark TO portal_web;
CREATE FUNCTION api_note_change() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    base bigint := nullif(current_setting('api.change_base', true), '')::bigint;
    mark_now bigint;
BEGIN
    IF base IS NULL THEN
        base := nextval('api_change_mark');
        PERFORM pg_advisory_xact_lock_shared((1346437120::bigint << 32) + base);
        PERFORM set_config('api.change_base', base::text, true);
    END IF;
    mark_now := nextval('api_change_mark');
    INSERT INTO api_change (incident_id, tenant_id, mark, changed_at)
        SELECT w.id, w.tenant_id, mark_now, w.changed_at FROM written w
    ON CONFLICT (incident_id) DO UPDATE SET mark = excluded.mark, changed_at = excluded.changed_at;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION api_note_change() FROM PUBLIC;
CREATE TRIGGER note_change_of_new AFTER INSERT ON incidents_incident
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION api_note_change();
CREATE TRIGGER note_change_of_known AFTER UPDATE ON incidents_incident
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION api_note_change();
-- Up to which number everything that will ever be there is there for whoever looks next. The sequence first, then the
-- locks, then, in a statement of its own, the rows: in any other order a writer could end in between. What this very
-- connection writes it sees.
CREATE FUNCTION api_horizon() RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp AS $$
DECLARE
    last bigint;
    running bigint;
BEGIN
    SELECT last_value INTO last FROM api_change_mark;
    SELECT min(((l.classid::bigint - 1346437120) << 32) + l.objid::bigint) INTO running FROM pg_locks l
        WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.pid <> pg_backend_pid()
          AND l.classid::bigint BETWEEN 1346437120 AND 1346437120 + 255
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database());
    RETURN least(last, running);
END $$;
REVOKE ALL ON FUNCTION api_horizon() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION api_horizon() TO portal_web;
ALTER TABLE api_change SET (fillfactor = 80);
INSERT INTO api_change (incident_id, tenant_id, mark, changed_at)
    SELECT id, tenant_id, nextval('api_change_mark'), changed_at FROM incidents_incident ORDER BY updated_at, id;
"""
DROPPED = """
DROP TRIGGER note_change_of_new ON incidents_incident;
DROP TRIGGER note_change_of_known ON incidents_incident;
DROP FUNCTION api_note_change();
DROP FUNCTION api_horizon();
DROP SEQUENCE api_change_mark;
"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('incidents', '0005_alerts_of_one_incident'),
        ('tenants', '0012_groups_and_moves'),
        ('accounts', '0020_visits_and_tries'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Change',
            fields=[
                ('incident', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='change', serialize=False, to='incidents.incident')),
                ('mark', models.BigIntegerField(help_text='Grows with every statement that writes incidents.')),
                ('changed_at', models.DateTimeField(help_text='As the incident says it.')),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant')),
            ],
            options={
                'base_manager_name': 'objects',
                'indexes': [models.Index(fields=['mark', 'incident'], include=('tenant',), name='changes_in_order'), models.Index(fields=['tenant', 'mark', 'incident'], name='changes_of_a_tenant_in_order'), models.Index(fields=['changed_at'], include=('tenant', 'mark'), name='changes_by_time')],
            },
        ),
        migrations.CreateModel(
            name='Token',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60)),
                ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('verbs', models.JSONField(default=list)),
                ('is_everywhere', models.BooleanField(default=False, verbose_name='every tenant of its owner')),
                ('tenant_ids', models.JSONField(blank=True, default=list)),
                ('group_ids', models.JSONField(blank=True, default=list)),
                ('created_at', models.DateTimeField()),
                ('created_by', models.CharField(max_length=200)),
                ('expires_at', models.DateTimeField()),
                ('last_used_at', models.DateTimeField(blank=True, help_text='To the minute.', null=True)),
                ('last_used_from', models.CharField(blank=True, max_length=64)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('revoked_by', models.CharField(blank=True, max_length=200)),
                ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='api_tokens', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'API token',
                'ordering': ['-created_at', '-id'],
                'constraints': [models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('created_at'))), name='a_token_expires_after_it_was_made'), models.CheckConstraint(condition=models.Q(models.Q(('revoked_at', None), ('revoked_by', '')), models.Q(('revoked_at__isnull', False), models.Q(('revoked_by', ''), _negated=True)), _connector='OR'), name='a_revoked_token_says_by_whom')],
            },
        ),
        shared("api_token", web="SELECT, INSERT, UPDATE", worker="SELECT, INSERT, UPDATE"),
        content("api_change"),
        belongs("api_change", "incident_id", "incidents_incident"),
        migrations.RunSQL(KEPT, DROPPED),
        migrations.RunSQL(NARROWED, WIDE),
    ]
