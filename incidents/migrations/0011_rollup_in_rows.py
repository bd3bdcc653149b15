"""One row of counts per tenant in place of one per cell, in the order of ``incidents.rollup.CELLS``."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from tenants.rls import content

KEEP = """
LOCK TABLE incidents_rollup IN ACCESS EXCLUSIVE MODE;
CREATE TABLE incidents_cells_before AS SELECT tenant_id, status, severity, unassigned, n FROM incidents_rollup;
"""
# Statuses: active, in progress, other, resolved, merged.
FILL = """
INSERT INTO incidents_rollup (tenant_id, cells)
SELECT known.tenant_id, ARRAY(
    SELECT coalesce(before.n, 0)::integer
    FROM unnest(ARRAY[1, 2, 9, 3, 4]) WITH ORDINALITY AS s(status, place)
    CROSS JOIN generate_series(1, 5) AS v(severity)
    CROSS JOIN unnest(ARRAY[false, true]) AS u(unassigned)
    LEFT JOIN incidents_cells_before before ON before.tenant_id = known.tenant_id AND before.status = s.status
        AND before.severity = v.severity AND before.unassigned = u.unassigned
    ORDER BY s.place, v.severity, u.unassigned)
FROM (SELECT DISTINCT tenant_id FROM incidents_cells_before) known;
DROP TABLE incidents_cells_before;
"""


class Migration(migrations.Migration):
    dependencies = [("incidents", "0010_lifetimes")]
    operations = [
        migrations.RunSQL(KEEP, migrations.RunSQL.noop),
        migrations.DeleteModel(name="Rollup"),
        migrations.CreateModel(
            name="Rollup",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cells", django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None)),
                (
                    "tenant",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.tenant"
                    ),
                ),
            ],
            options={"base_manager_name": "objects"},
        ),
        content("incidents_rollup"),
        migrations.RunSQL("ALTER TABLE incidents_rollup SET (fillfactor = 50)", migrations.RunSQL.noop),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
