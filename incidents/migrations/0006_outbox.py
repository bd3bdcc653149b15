"""The outbox: what people decide, what is due at Microsoft, and under which address people are written there."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from tenants.rls import USER, belongs, connection, decisions, own, shared

# Roles that include triage, as accounts/roles.py had them when this was made; tests/isolation holds the two together.
TRIAGING = "'analyst'"
# What cancelling, settling and going to a merged incident's target change; neither whose intent it is nor what it wants.
CHANGED = (
    "incident_id, number, asked_number, seen, remote, state, due_at, attempts, code, detail, step, reference, settled_at"
)

# A tenant's delivery is due as soon as its earliest intent. Statement by statement and in the order of the tenants, so
# that two decisions over the same tenants wait for each other only briefly and never in a circle. The row is locked even
# where its date stays: a worker that ends its delivery at this moment must not overlook what has just been decided.
NOTE_DUE = """
CREATE FUNCTION incidents_note_due() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO incidents_delivery AS mine (tenant_id, due_at, lease_owner, lease_epoch, off_code, off_detail, off_reference)
        SELECT c.tenant_id, min(c.due_at), '', 0, '', '', '' FROM changed c
        WHERE c.due_at IS NOT NULL GROUP BY c.tenant_id ORDER BY c.tenant_id
    ON CONFLICT (tenant_id) DO UPDATE SET due_at = least(mine.due_at, excluded.due_at);
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION incidents_note_due() FROM PUBLIC;
CREATE TRIGGER note_due AFTER INSERT ON incidents_intent REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION incidents_note_due();
CREATE TRIGGER note_due_again AFTER UPDATE ON incidents_intent REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION incidents_note_due();
"""

# Whom a person may assign an incident to: who triages the tenant, too. Memberships of others are closed to the web.
ASSIGNABLE = f"""
CREATE FUNCTION incidents_assignable(wanted bigint[])
RETURNS TABLE (tenant_id bigint, user_id bigint, display_name text, address text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT DISTINCT m.tenant_id, u.id, u.display_name::text, coalesce(t.address, a.address)::text
    FROM tenants_membership m
    JOIN accounts_user u ON u.id = m.user_id AND u.is_active
    LEFT JOIN incidents_tenantassignee t ON t.tenant_id = m.tenant_id AND t.user_id = u.id
    LEFT JOIN incidents_assignee a ON a.user_id = u.id
    WHERE m.tenant_id = ANY (wanted) AND m.role IN ({TRIAGING}) AND coalesce(t.address, a.address) IS NOT NULL
        AND EXISTS (SELECT 1 FROM tenants_membership mine WHERE mine.user_id = {USER} AND mine.tenant_id = m.tenant_id)
$$;
REVOKE ALL ON FUNCTION incidents_assignable(bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION incidents_assignable(bigint[]) TO portal_web;
"""  # noqa: S608  constants only


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0005_alerts_of_one_incident'),
        ('tenants', '0012_groups_and_moves'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Batch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=64)),
                ('digest', models.BinaryField(help_text='Of what was asked, so that a key is not used twice.', max_length=16)),
                ('answers', models.JSONField(default=list, help_text='What was answered per incident, for the same request again.')),
                ('decided_at', models.DateTimeField()),
                ('undo_until', models.DateTimeField(help_text='Nothing leaves before.')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'batches',
                'ordering': ['-decided_at', '-id'],
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Delivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('due_at', models.DateTimeField(db_index=True, null=True)),
                ('lease_owner', models.CharField(blank=True, default='', max_length=120)),
                ('lease_until', models.DateTimeField(null=True)),
                ('lease_epoch', models.BigIntegerField(default=0)),
                ('off_since', models.DateTimeField(null=True)),
                ('off_code', models.CharField(blank=True, default='', max_length=64)),
                ('off_detail', models.CharField(blank=True, default='', max_length=600)),
                ('off_reference', models.CharField(blank=True, default='', max_length=128)),
                ('tenant', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'verbose_name_plural': 'deliveries',
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Intent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.BigIntegerField(help_text="Microsoft's number of the incident that is written to.")),
                ('asked_number', models.BigIntegerField(help_text='The merged incident in which it was decided.', null=True)),
                ('field', models.CharField(choices=[('assigned_to', 'Assigned to'), ('status', 'Status'), ('classification', 'Classification'), ('tags', 'Tags'), ('comment', 'Comment')], max_length=20)),
                ('seen', models.JSONField()),
                ('wanted', models.JSONField()),
                ('remote', models.JSONField(help_text='What Microsoft had where that is a conflict.', null=True)),
                ('mark', models.CharField(blank=True, help_text='The reference by which a comment is found again.', max_length=12)),
                ('initials', models.CharField(blank=True, help_text="The analyst's, as they stand in a comment.", max_length=8)),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('sending', 'Sending'), ('sent', 'Sent'), ('confirmed', 'Confirmed'), ('uncertain', 'Uncertain'), ('held', 'Held'), ('conflict', 'Conflict'), ('refused', 'Refused'), ('exceeded', 'Given up'), ('cancelled', 'Cancelled')], default='queued', max_length=10)),
                ('due_at', models.DateTimeField(null=True)),
                ('attempts', models.IntegerField(default=0, help_text='Tries that failed; waits that Microsoft asked for are none.')),
                ('code', models.CharField(blank=True, max_length=64)),
                ('detail', models.CharField(blank=True, help_text='One sentence for a person.', max_length=600)),
                ('step', models.CharField(blank=True, help_text='What to do next.', max_length=600)),
                ('reference', models.CharField(blank=True, help_text="Microsoft's trace id, for a support case.", max_length=128)),
                ('decided_at', models.DateTimeField()),
                ('sent_at', models.DateTimeField(help_text='When Microsoft was last told.', null=True)),
                ('answered_text', models.TextField(blank=True, help_text="The incident's last update in Microsoft's answer.")),
                ('settled_at', models.DateTimeField(null=True)),
                ('batch', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='intents', to='incidents.batch')),
                ('incident', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='intents', to='incidents.incident')),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['id'],
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='TenantAssignee',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.CharField(max_length=320, verbose_name='address at Microsoft')),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['tenant', 'address'],
                'verbose_name': 'address in one tenant',
                'verbose_name_plural': 'addresses in single tenants',
                'base_manager_name': 'objects',
            },
        ),
        migrations.CreateModel(
            name='Assignee',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.CharField(max_length=320, verbose_name='address at Microsoft')),
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['address'],
                'verbose_name': 'address of a person',
                'verbose_name_plural': 'addresses of people',
                'constraints': [models.CheckConstraint(condition=models.Q(('address', ''), _negated=True), name='an_assignee_has_an_address')],
            },
        ),
        migrations.AddConstraint(
            model_name='batch',
            constraint=models.UniqueConstraint(fields=('user', 'key'), name='a_decision_is_made_once'),
        ),
        migrations.AddConstraint(
            model_name='batch',
            constraint=models.CheckConstraint(condition=models.Q(('key', ''), _negated=True), name='a_decision_has_a_key'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('off_code', ''), ('off_since', None)), models.Q(('off_since__isnull', False), models.Q(('off_code', ''), _negated=True)), _connector='OR'), name='writing_that_is_off_says_why'),
        ),
        migrations.AddIndex(
            model_name='intent',
            index=models.Index(condition=models.Q(('due_at__isnull', False)), fields=['tenant', 'due_at'], name='intents_that_wait'),
        ),
        migrations.AddIndex(
            model_name='intent',
            index=models.Index(fields=['tenant', 'incident', 'id'], name='intents_of_an_incident'),
        ),
        migrations.AddIndex(
            model_name='intent',
            index=models.Index(condition=models.Q(('state', 'sent')), fields=['tenant', 'number'], name='intents_without_a_witness'),
        ),
        migrations.AddIndex(
            model_name='intent',
            index=models.Index(fields=['batch'], name='intents_of_a_decision'),
        ),
        migrations.AddConstraint(
            model_name='intent',
            constraint=models.UniqueConstraint(fields=('tenant', 'batch', 'incident', 'field'), name='a_decision_changes_a_field_of_an_incident_once'),
        ),
        migrations.AddConstraint(
            model_name='intent',
            constraint=models.UniqueConstraint(condition=models.Q(('mark', ''), _negated=True), fields=('tenant', 'incident', 'mark'), name='a_comment_has_a_mark_of_its_own'),
        ),
        migrations.AddConstraint(
            model_name='intent',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['queued', 'sending', 'sent', 'confirmed', 'uncertain', 'held', 'conflict', 'refused', 'exceeded', 'cancelled'])), name='an_intent_is_in_a_known_state'),
        ),
        migrations.AddConstraint(
            model_name='intent',
            constraint=models.CheckConstraint(condition=models.Q(('field__in', ['assigned_to', 'status', 'classification', 'tags', 'comment'])), name='an_intent_changes_a_known_field'),
        ),
        migrations.AddConstraint(
            model_name='intent',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', ('queued', 'sending', 'sent', 'uncertain', 'held')), ('due_at__isnull', False)), models.Q(models.Q(('state__in', ('queued', 'sending', 'sent', 'uncertain', 'held')), _negated=True), ('due_at__isnull', True)), _connector='OR'), name='an_intent_that_waits_says_until_when'),
        ),
        migrations.AddConstraint(
            model_name='intent',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', ('confirmed', 'refused', 'exceeded', 'cancelled')), ('settled_at__isnull', False)), models.Q(models.Q(('state__in', ('confirmed', 'refused', 'exceeded', 'cancelled')), _negated=True), ('settled_at__isnull', True)), _connector='OR'), name='an_intent_that_is_settled_says_since_when'),
        ),
        migrations.AddConstraint(
            model_name='intent',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'conflict'), _negated=True), models.Q(('remote__isnull', False), models.Q(('code', ''), _negated=True)), _connector='OR'), name='a_conflict_says_what_microsoft_has'),
        ),
        migrations.AddConstraint(
            model_name='intent',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['held', 'refused', 'exceeded']), _negated=True), models.Q(('code', ''), _negated=True), _connector='OR'), name='an_intent_that_is_kept_from_microsoft_says_why'),
        ),
        migrations.AddConstraint(
            model_name='intent',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'sent'), _negated=True), ('sent_at__isnull', False), _connector='OR'), name='what_was_sent_says_when'),
        ),
        migrations.AddConstraint(
            model_name='intent',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('field', 'comment'), models.Q(('mark', ''), _negated=True)), models.Q(models.Q(('field', 'comment'), _negated=True), ('mark', '')), _connector='OR'), name='a_comment_and_nothing_else_has_a_mark'),
        ),
        migrations.AddConstraint(
            model_name='tenantassignee',
            constraint=models.UniqueConstraint(fields=('tenant', 'user'), name='a_person_has_one_address_in_a_tenant'),
        ),
        migrations.AddConstraint(
            model_name='tenantassignee',
            constraint=models.CheckConstraint(condition=models.Q(('address', ''), _negated=True), name='an_assignee_in_a_tenant_has_an_address'),
        ),
        decisions("incidents_intent", roles=TRIAGING, columns=CHANGED),
        belongs("incidents_intent", "incident_id", "incidents_incident"),
        own("incidents_batch"),
        connection("incidents_delivery"),
        connection("incidents_tenantassignee"),
        shared("incidents_assignee", web="SELECT, INSERT, UPDATE, DELETE", worker="SELECT, INSERT, UPDATE"),
        migrations.RunSQL(NOTE_DUE, migrations.RunSQL.noop),
        migrations.RunSQL(ASSIGNABLE, migrations.RunSQL.noop),
    ]
