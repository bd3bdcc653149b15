"""What the pages refuse about groups and moves is refused by the database too."""

from django.db import migrations

from tenants.rls import STAFF, USER

POLICIES = f"""
ALTER TABLE tenants_tenantgroup ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants_tenantgroup FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON tenants_tenantgroup TO portal_owner USING (true) WITH CHECK (true);
CREATE POLICY workers ON tenants_tenantgroup TO portal_worker USING (true) WITH CHECK (true);
CREATE POLICY people_read ON tenants_tenantgroup FOR SELECT TO portal_web USING (true);
CREATE POLICY staff_add ON tenants_tenantgroup FOR INSERT TO portal_web WITH CHECK ({STAFF});
-- A group over which one has a role must not be made to cover all: that is a role given to oneself.
CREATE POLICY staff_change ON tenants_tenantgroup FOR UPDATE TO portal_web USING ({STAFF}) WITH CHECK (
    {STAFF} AND NOT EXISTS (SELECT 1 FROM tenants_grant g
                            WHERE g.group_id = tenants_tenantgroup.id AND g.user_id = {USER}));
CREATE POLICY staff_remove ON tenants_tenantgroup FOR DELETE TO portal_web USING ({STAFF});

-- Each of the two people speaks for themselves: nobody writes down that somebody else asked or agreed.
ALTER POLICY staff_add ON tenants_relink WITH CHECK (
    {STAFF} AND asked_by_id = {USER} AND agreed_by_id IS NULL AND settled_at IS NULL);
ALTER POLICY staff_change ON tenants_relink WITH CHECK ({STAFF} AND (agreed_by_id IS NULL OR agreed_by_id = {USER}));
REVOKE INSERT, UPDATE, DELETE ON tenants_relink FROM portal_worker;
"""  # noqa: S608  constants only


class Migration(migrations.Migration):
    dependencies = [("tenants", "0011_relink")]
    operations = [migrations.RunSQL(POLICIES, migrations.RunSQL.noop)]
