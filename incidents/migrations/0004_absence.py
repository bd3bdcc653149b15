"""Numbers that Microsoft was asked for and does not have."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.rls import content


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0003_merged_from'),
        ('tenants', '0005_what_is_due_in_shards'),
    ]

    operations = [
        migrations.CreateModel(
            name='Absence',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.BigIntegerField()),
                ('looked_at', models.DateTimeField()),
                ('tenant', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='tenants.tenant')),
            ],
            options={
                'base_manager_name': 'objects',
                'constraints': [models.UniqueConstraint(fields=('tenant', 'number'), name='a_number_is_absent_once')],
            },
        ),
        content("incidents_absence"),
    ]
