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
# Per statement, so that a page of incidents costs one more. The rights are those of whoever writes the incident.
KEPT = """
CREATE FUNCTION api_note_change() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO api_change (incident_id, tenant_id, mark, changed_at)
        SELECT w.id, w.tenant_id, pg_current_xact_id()::text::bigint + (SELECT coalesce(max(shift), 0) FROM api_era),
            w.changed_at
        FROM written w
    ON CONFLICT (incident_id) DO UPDATE SET mark = excluded.mark, changed_at = excluded.changed_at;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION api_note_change() FROM PUBLIC;
CREATE TRIGGER note_change_of_new AFTER INSERT ON incidents_incident
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION api_note_change();
CREATE TRIGGER note_change_of_known AFTER UPDATE ON incidents_incident
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION api_note_change();
-- Half-full pages take a row's next place beside it.
ALTER TABLE api_change SET (fillfactor = 80);
INSERT INTO api_era (shift) VALUES (0);
INSERT INTO api_change (incident_id, tenant_id, mark, changed_at)
    SELECT id, tenant_id, pg_current_xact_id()::text::bigint, changed_at FROM incidents_incident;
"""
DROPPED = """
DROP TRIGGER note_change_of_new ON incidents_incident;
DROP TRIGGER note_change_of_known ON incidents_incident;
DROP FUNCTION api_note_change();
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
            name='Era',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('shift', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Change',
            fields=[
                ('incident', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='change', serialize=False, to='incidents.incident')),
                ('mark', models.BigIntegerField(help_text="The transaction's number, moved up after a restore.")),
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
        shared("api_era"),
        content("api_change"),
        belongs("api_change", "incident_id", "incidents_incident"),
        migrations.RunSQL(KEPT, DROPPED),
        migrations.RunSQL(NARROWED, WIDE),
    ]
