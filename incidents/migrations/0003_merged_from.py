"""Which incidents were merged into one: asked for every page of the queue, answered from the few rows that were."""

from django.db import migrations

INDEX = """
CREATE INDEX merged_into ON incidents_incident (tenant_id, redirect_number) WHERE redirect_number IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0002_row_level_security")]
    operations = [migrations.RunSQL(INDEX, "DROP INDEX merged_into;")]
