"""Nobody gives a role to themselves, whatever the pages let through; staff mark alarms as seen."""

from django.db import migrations

from tenants.rls import STAFF, USER

POLICIES = f"""
ALTER POLICY staff ON tenants_grant USING ({STAFF}) WITH CHECK ({STAFF} AND user_id <> {USER});
-- Filling a group over which one has a role comes to the same. The inner select shows staff every grant.
ALTER POLICY staff_add ON tenants_tenantgroupmember WITH CHECK (
    {STAFF} AND NOT EXISTS (SELECT 1 FROM tenants_grant g
                            WHERE g.group_id = tenants_tenantgroupmember.group_id AND g.user_id = {USER}));
ALTER POLICY staff_change ON tenants_tenantgroupmember WITH CHECK (
    {STAFF} AND NOT EXISTS (SELECT 1 FROM tenants_grant g
                            WHERE g.group_id = tenants_tenantgroupmember.group_id AND g.user_id = {USER}));
GRANT UPDATE (cleared_at) ON tenants_alarm TO portal_web;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0006_how_far_a_first_sync_has_come"),
        ("accounts", "0020_visits_and_tries"),
    ]
    operations = [migrations.RunSQL(POLICIES, migrations.RunSQL.noop)]
