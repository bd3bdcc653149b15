"""Row-level security of customers and tenants' connections, and memberships that follow from grants."""

from django.db import migrations

from tenants.rls import LINK_KEY, STAFF, USER, connection, shared

BY_LINK = f"(link_hash = {LINK_KEY} OR state_hash = {LINK_KEY})"
TENANT_BY_LINK = (
    "id IN (SELECT c.tenant_id FROM tenants_consentrequest c "
    f"WHERE c.link_hash = {LINK_KEY} OR c.state_hash = {LINK_KEY})"
)

CUSTOMER = f"""
ALTER TABLE tenants_customer ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants_customer FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON tenants_customer TO portal_owner USING (true) WITH CHECK (true);
CREATE POLICY workers ON tenants_customer TO portal_worker USING (true) WITH CHECK (true);
-- The inner select is itself under row-level security: a customer shows through a tenant that shows.
CREATE POLICY people ON tenants_customer FOR SELECT TO portal_web
    USING ({STAFF} OR id IN (SELECT t.customer_id FROM tenants_tenant t));
CREATE POLICY staff_add ON tenants_customer FOR INSERT TO portal_web WITH CHECK ({STAFF});
CREATE POLICY staff_change ON tenants_customer FOR UPDATE TO portal_web USING ({STAFF}) WITH CHECK ({STAFF});
GRANT SELECT, INSERT, UPDATE ON tenants_customer TO portal_web, portal_worker;
GRANT USAGE ON SEQUENCE tenants_customer_id_seq TO portal_web, portal_worker;
"""

MEMBERSHIP = f"""
ALTER TABLE tenants_membership ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants_membership FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON tenants_membership TO portal_owner USING (true) WITH CHECK (true);
CREATE POLICY own ON tenants_membership FOR SELECT TO portal_web USING (user_id = {USER});
CREATE POLICY workers ON tenants_membership FOR SELECT TO portal_worker USING (true);
GRANT SELECT ON tenants_membership TO portal_web, portal_worker;

CREATE INDEX tenants_membership_by_user ON tenants_membership (user_id, tenant_id);

-- Brings memberships in line with grants. The lock makes two changes at once line up, so that the later one computes
-- from what the earlier one committed; each statement of the function sees a fresh snapshot.
CREATE FUNCTION tenants_refresh_membership() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('tenants_refresh_membership'));
    DELETE FROM tenants_membership m WHERE NOT EXISTS (
        SELECT 1 FROM tenants_wanted_membership w
        WHERE w.user_id = m.user_id AND w.tenant_id = m.tenant_id AND w.role = m.role);
    INSERT INTO tenants_membership (user_id, tenant_id, role)
        SELECT w.user_id, w.tenant_id, w.role FROM tenants_wanted_membership w
        ON CONFLICT (user_id, tenant_id, role) DO NOTHING;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION tenants_refresh_membership() FROM PUBLIC;

CREATE VIEW tenants_wanted_membership WITH (security_invoker = true) AS
    SELECT g.user_id, g.tenant_id, g.role FROM tenants_grant g WHERE g.tenant_id IS NOT NULL
    UNION
    SELECT g.user_id, gm.tenant_id, g.role
        FROM tenants_grant g JOIN tenants_tenantgroupmember gm ON gm.group_id = g.group_id
    UNION
    SELECT g.user_id, t.id, g.role
        FROM tenants_grant g JOIN tenants_tenantgroup gr ON gr.id = g.group_id AND gr.covers_all
        CROSS JOIN tenants_tenant t;

CREATE TRIGGER refresh_membership AFTER INSERT OR UPDATE OR DELETE ON tenants_grant
    FOR EACH STATEMENT EXECUTE FUNCTION tenants_refresh_membership();
CREATE TRIGGER refresh_membership AFTER INSERT OR UPDATE OR DELETE ON tenants_tenantgroupmember
    FOR EACH STATEMENT EXECUTE FUNCTION tenants_refresh_membership();
CREATE TRIGGER refresh_membership AFTER INSERT OR UPDATE OF covers_all OR DELETE ON tenants_tenantgroup
    FOR EACH STATEMENT EXECUTE FUNCTION tenants_refresh_membership();
CREATE TRIGGER refresh_membership AFTER INSERT OR DELETE ON tenants_tenant
    FOR EACH STATEMENT EXECUTE FUNCTION tenants_refresh_membership();
"""

GRANT = f"""
ALTER TABLE tenants_grant ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants_grant FORCE ROW LEVEL SECURITY;
CREATE POLICY owner ON tenants_grant TO portal_owner USING (true) WITH CHECK (true);
CREATE POLICY workers ON tenants_grant TO portal_worker USING (true) WITH CHECK (true);
CREATE POLICY own ON tenants_grant FOR SELECT TO portal_web USING (user_id = {USER});
CREATE POLICY staff ON tenants_grant TO portal_web USING ({STAFF}) WITH CHECK ({STAFF});
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants_grant TO portal_web, portal_worker;
GRANT USAGE ON SEQUENCE tenants_grant_id_seq TO portal_web, portal_worker;
"""


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial"), ("accounts", "0002_grants"), ("audit", "0001_initial")]
    operations = [
        migrations.RunSQL(CUSTOMER, migrations.RunSQL.noop),
        migrations.RunSQL(MEMBERSHIP, migrations.RunSQL.noop),
        migrations.RunSQL(GRANT, migrations.RunSQL.noop),
        connection("tenants_consentrequest", link=BY_LINK),
        connection("tenants_tenant", column="id", link=TENANT_BY_LINK),
        connection("tenants_tokenfacts"),
        connection("tenants_syncstate"),
        connection("tenants_syncrun"),
        connection("tenants_budget"),
        connection("tenants_tenantgroupmember"),
        shared("tenants_tenantgroup", web="SELECT, INSERT, UPDATE, DELETE", worker="SELECT, INSERT, UPDATE"),
        shared("tenants_alarm", web="SELECT", worker="SELECT, INSERT, UPDATE"),
    ]
