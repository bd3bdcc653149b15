"""Shards: pace of calls, breakers, the slow lane, and what a sweep found."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.rls import connection, shared

# Each claim and each debit writes these rows anew; with room on its page a new version of a row needs no new index entry.
ROOM = """
ALTER TABLE tenants_budget SET (fillfactor = 50);
ALTER TABLE tenants_syncstate SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
"""


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0004_passes_that_go_on'),
    ]

    operations = [
        migrations.CreateModel(
            name='Breaker',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=60, unique=True)),
                ('opened_at', models.DateTimeField()),
                ('open_until', models.DateTimeField()),
                ('probed_until', models.DateTimeField(blank=True, null=True)),
                ('code', models.CharField(help_text='What Entra ID answered, such as AADSTS7000222.', max_length=60)),
                ('sentence', models.CharField(max_length=500)),
                ('step', models.CharField(blank=True, max_length=500)),
                ('refusals', models.IntegerField(default=1, help_text='How often it was asked and refused.')),
            ],
        ),
        migrations.AddField(
            model_name='budget',
            name='background_paced_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='budget',
            name='paced_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='syncstate',
            name='breaker_until',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='syncstate',
            name='gaps_left',
            field=models.IntegerField(default=0, help_text='Numbers without an incident that may still be asked for.'),
        ),
        migrations.AddField(
            model_name='syncstate',
            name='is_slow',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='syncstate',
            name='pass_missing',
            field=models.IntegerField(default=0, help_text='Incidents of the pass that we should have held already.'),
        ),
        migrations.AddField(
            model_name='syncstate',
            name='pass_outdated',
            field=models.IntegerField(default=0, help_text='Incidents of which we should have held a later version.'),
        ),
        migrations.AddField(
            model_name='syncstate',
            name='pass_silent',
            field=models.IntegerField(default=0, help_text='Incidents that had changed without a new date.'),
        ),
        migrations.CreateModel(
            name='CompletenessCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('checked_at', models.DateTimeField()),
                ('days', models.IntegerField(help_text='Length of the window, in days.')),
                ('held', models.IntegerField()),
                ('missing', models.IntegerField(default=0)),
                ('outdated', models.IntegerField(default=0)),
                ('silent', models.IntegerField(default=0)),
                ('by_number', models.IntegerField(default=0)),
                ('tenant', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='completeness_checks', to='tenants.tenant')),
            ],
            options={
                'ordering': ['-checked_at'],
                'base_manager_name': 'objects',
                'indexes': [models.Index(fields=['tenant', '-checked_at'], name='completeness_newest_first')],
            },
        ),
        connection("tenants_completenesscheck"),
        shared("tenants_breaker", worker="SELECT, INSERT, UPDATE, DELETE"),
        migrations.RunSQL(ROOM, migrations.RunSQL.noop),
    ]
