"""The index on alerts begins with the incident, so that foreign keys are never checked by it."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('incidents', '0004_absence'),
        ('tenants', '0005_what_is_due_in_shards'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='alert',
            name='alerts_of_an_incident',
        ),
        migrations.AddIndex(
            model_name='alert',
            index=models.Index(fields=['incident', 'tenant'], name='alerts_of_one_incident'),
        ),
    ]
