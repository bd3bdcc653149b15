"""Saved views of the queue, and how each person wants it: theirs alone, or shared by them."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from tenants.rls import STAFF, USER

POLICIES = f"""
ALTER TABLE incidents_savedview ENABLE ROW LEVEL SECURITY;
ALTER TABLE incidents_savedview FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON incidents_savedview TO portal_owner USING (true) WITH CHECK (true);
CREATE POLICY people_read ON incidents_savedview FOR SELECT TO portal_web USING (owner_id = {USER} OR is_shared);
CREATE POLICY people_add ON incidents_savedview FOR INSERT TO portal_web WITH CHECK (owner_id = {USER});
CREATE POLICY people_change ON incidents_savedview FOR UPDATE TO portal_web
    USING (owner_id = {USER} OR (is_shared AND {STAFF})) WITH CHECK (owner_id = {USER} OR (is_shared AND {STAFF}));
CREATE POLICY people_remove ON incidents_savedview FOR DELETE TO portal_web
    USING (owner_id = {USER} OR (is_shared AND {STAFF}));
GRANT SELECT, INSERT, DELETE, UPDATE (name, query, is_shared, changed_at) ON incidents_savedview TO portal_web;
GRANT USAGE ON SEQUENCE incidents_savedview_id_seq TO portal_web;
ALTER TABLE incidents_queuepreference ENABLE ROW LEVEL SECURITY;
ALTER TABLE incidents_queuepreference FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON incidents_queuepreference TO portal_owner USING (true) WITH CHECK (true);
CREATE POLICY own ON incidents_queuepreference TO portal_web USING (user_id = {USER}) WITH CHECK (user_id = {USER});
GRANT SELECT, INSERT, UPDATE, DELETE ON incidents_queuepreference TO portal_web;
"""  # noqa: S608  constants only
# Whoever removes a person or a view may be shown only some of the rows that go with it; the database sees all.
KEYS = """
ALTER TABLE incidents_savedview ADD CONSTRAINT a_view_goes_with_its_owner FOREIGN KEY (owner_id)
    REFERENCES accounts_user (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE incidents_queuepreference ADD CONSTRAINT a_preference_goes_with_its_person FOREIGN KEY (user_id)
    REFERENCES accounts_user (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE incidents_queuepreference ADD CONSTRAINT a_default_ends_with_its_view FOREIGN KEY (default_view_id)
    REFERENCES incidents_savedview (id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0005_alerts_of_one_incident'),
        ('tenants', '0012_groups_and_moves'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SavedView',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.UUIDField(default=uuid.uuid4, editable=False, help_text='Names the view in its address.', unique=True)),
                ('name', models.CharField(max_length=80)),
                ('query', models.TextField(blank=True)),
                ('is_shared', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField()),
                ('changed_at', models.DateTimeField()),
                ('owner', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['name', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('owner', 'name'), name='a_person_has_one_view_of_a_name'), models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='a_view_has_a_name')],
            },
        ),
        migrations.CreateModel(
            name='QueuePreference',
            fields=[
                ('user', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to=settings.AUTH_USER_MODEL)),
                ('columns', models.JSONField(null=True)),
                ('default_view', models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='incidents.savedview')),
            ],
        ),
        migrations.RunSQL(KEYS, migrations.RunSQL.noop),
        migrations.RunSQL(POLICIES, migrations.RunSQL.noop),
    ]
