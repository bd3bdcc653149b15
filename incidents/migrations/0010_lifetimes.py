"""When incidents were first touched and closed, and a table of days; both are filled from what is held already."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.rls import content

# What is held says how each incident stands now. Its last update is the latest that it can have been taken up or closed,
# so `seen_untouched` and `seen_open` tell apart what was watched from the beginning. Status 2 is in progress, 3 resolved,
# 4 merged; the words of severities are those of the columns.
FILL = """
SET CONSTRAINTS ALL IMMEDIATE;
UPDATE incidents_incident SET
    first_touched_at = CASE WHEN status <> 4 AND NOT is_stub AND (status IN (2, 3) OR coalesce(assigned_to, '') <> '')
        THEN greatest(updated_at, created_at) END,
    closed_at = CASE WHEN status = 3 THEN greatest(updated_at, created_at) END,
    seen_untouched = status NOT IN (2, 3, 4) AND NOT is_stub AND coalesce(assigned_to, '') = '',
    seen_open = status NOT IN (3, 4) AND NOT is_stub;
INSERT INTO incidents_daily (tenant_id, day, {columns})
SELECT tenant_id, day, {sums} FROM (
    SELECT tenant_id, (created_at AT TIME ZONE 'UTC')::date AS day, 'opened' AS kind, severity
    FROM incidents_incident WHERE status <> 4 AND created_at IS NOT NULL
    UNION ALL SELECT tenant_id, (closed_at AT TIME ZONE 'UTC')::date, 'closed', severity
    FROM incidents_incident WHERE closed_at IS NOT NULL
    UNION ALL SELECT tenant_id, (first_touched_at AT TIME ZONE 'UTC')::date, 'touched', 0
    FROM incidents_incident WHERE first_touched_at IS NOT NULL
) moments GROUP BY tenant_id, day;
"""
SEVERITIES = {"informational": 1, "low": 2, "medium": 3, "high": 4, "unknown": 5}
CELLS = [(f"{kind}_{word}", kind, number) for kind in ("opened", "closed") for word, number in SEVERITIES.items()]
CELLS.append(("touched", "touched", 0))
FILL = FILL.format(
    columns=", ".join(name for name, _, _ in CELLS),
    sums=", ".join(f"count(*) FILTER (WHERE kind = '{kind}' AND severity = {number})" for _, kind, number in CELLS),
)


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0009_incident_changes'),
        ('tenants', '0012_groups_and_moves'),
    ]

    operations = [
        migrations.CreateModel(
            name='Daily',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('opened_informational', models.IntegerField(default=0)),
                ('opened_low', models.IntegerField(default=0)),
                ('opened_medium', models.IntegerField(default=0)),
                ('opened_high', models.IntegerField(default=0)),
                ('opened_unknown', models.IntegerField(default=0)),
                ('closed_informational', models.IntegerField(default=0)),
                ('closed_low', models.IntegerField(default=0)),
                ('closed_medium', models.IntegerField(default=0)),
                ('closed_high', models.IntegerField(default=0)),
                ('closed_unknown', models.IntegerField(default=0)),
                ('touched', models.IntegerField(default=0, help_text='Incidents that somebody took up for the first time.')),
            ],
            options={
                'verbose_name_plural': 'daily',
                'base_manager_name': 'objects',
            },
        ),
        migrations.AddField(
            model_name='incident',
            name='closed_at',
            field=models.DateTimeField(help_text='When it was resolved; blank again where it was reopened.', null=True),
        ),
        migrations.AddField(
            model_name='incident',
            name='first_touched_at',
            field=models.DateTimeField(help_text='When somebody took it up, or it was closed.', null=True),
        ),
        migrations.AddField(
            model_name='incident',
            name='seen_open',
            field=models.BooleanField(db_default=False, default=False, help_text='Seen before it was closed.'),
        ),
        migrations.AddField(
            model_name='incident',
            name='seen_untouched',
            field=models.BooleanField(db_default=False, default=False, help_text='Seen before it was taken up.'),
        ),
        migrations.AddField(
            model_name='daily',
            name='tenant',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant'),
        ),
        migrations.AddConstraint(
            model_name='daily',
            constraint=models.UniqueConstraint(fields=('tenant', 'day'), name='a_day_exists_once_in_its_tenant'),
        ),
        content("incidents_daily"),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(fields=['tenant', 'created_at'], name='incident_by_creation'),
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(condition=models.Q(('first_touched_at__isnull', False)), fields=['tenant', 'first_touched_at'], include=('severity', 'created_at', 'seen_untouched'), name='incident_by_first_touch'),
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(condition=models.Q(('closed_at__isnull', False)), fields=['tenant', 'closed_at'], include=('severity', 'created_at', 'seen_open'), name='incident_by_closing'),
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(condition=models.Q(('assigned_to__isnull', False), ('is_open', True)), fields=['assigned_to', 'tenant'], include=('severity', 'status'), name='open_incident_of_a_person'),
        ),
    ]
