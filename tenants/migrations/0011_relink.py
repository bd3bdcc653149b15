"""Moving a tenant to another customer takes two people; the database holds that too."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from tenants.rls import connection

TWO_PEOPLE = """
-- People change how a request ends, and never who asked for what.
REVOKE UPDATE, DELETE ON tenants_relink FROM portal_web;
GRANT UPDATE (agreed_by_id, settled_at, outcome) ON tenants_relink TO portal_web;

CREATE FUNCTION tenants_refuse_lone_relink() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF current_user <> 'portal_owner' AND NEW.customer_id <> OLD.customer_id AND NOT EXISTS (
        SELECT 1 FROM tenants_relink r WHERE r.tenant_id = NEW.id AND r.settled_at IS NULL AND r.agreed_by_id IS NOT NULL)
    THEN
        RAISE EXCEPTION 'A tenant moves to another customer only where two people agree.'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER two_people_move_a_tenant BEFORE UPDATE OF customer_id ON tenants_tenant
    FOR EACH ROW EXECUTE FUNCTION tenants_refuse_lone_relink();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0010_no_role_to_oneself'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Relink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('customer_name', models.CharField(help_text='The customer it is to belong to.', max_length=200)),
                ('asked_at', models.DateTimeField()),
                ('settled_at', models.DateTimeField(null=True)),
                ('outcome', models.CharField(blank=True, choices=[('moved', 'Moved'), ('withdrawn', 'Withdrawn'), ('expired', 'Expired')], max_length=10)),
                ('agreed_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='relinks', to='tenants.tenant')),
            ],
            options={
                'ordering': ['-asked_at'],
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(condition=models.Q(('settled_at', None)), fields=('tenant',), name='a_tenant_has_one_open_relink'), models.CheckConstraint(condition=models.Q(('agreed_by', None), models.Q(('agreed_by', models.F('asked_by')), _negated=True), _connector='OR'), name='a_relink_needs_two_people')],
            },
        ),
        connection("tenants_relink"),
        migrations.RunSQL(TWO_PEOPLE, migrations.RunSQL.noop),
    ]
