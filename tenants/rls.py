"""Row-level security: the policies of every tenant-owned table, in one place.

People (role portal_web) see the tenants of their memberships; the worker sees, of content,
the one tenant it has claimed.
A tenant's connection (consent, tokens, sync state) is also open to staff and to every worker,
who must find what is due.
Settings are transaction-local and set by ``tenants.scope``; unset means no rows. The forms with a sub-select on the
membership table keep the queue's plan; the owner role has a policy of its own because row-level security is forced.
"""

from django.db import migrations

USER = "nullif(current_setting('app.user_id', true), '')::bigint"
TENANT = "nullif(current_setting('app.tenant_id', true), '')::bigint"
LINK_KEY = "nullif(current_setting('app.link_key', true), '')"
STAFF = f"EXISTS (SELECT 1 FROM accounts_user u WHERE u.id = {USER} AND u.is_staff AND u.is_active)"  # noqa: S608  constants only


def member(column: str) -> str:
    """True where the signed-in person is a member of the tenant in ``column``."""
    return f"{column} IN (SELECT m.tenant_id FROM tenants_membership m WHERE m.user_id = {USER})"  # noqa: S608


def content(table: str, *, web: str = "SELECT") -> migrations.RunSQL:
    """Incident content: people by membership (``web`` names what they may do), the worker by its claimed tenant."""
    return migrations.RunSQL(
        _forced(table)
        + _policy(table, "people", "portal_web", member("tenant_id"))
        + _claimed(table)
        + f"GRANT {web} ON {table} TO portal_web; GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO portal_worker;"
        + _sequence(table),
        migrations.RunSQL.noop,
    )


def connection(table: str, *, column: str = "tenant_id", link: str = "") -> migrations.RunSQL:
    """A tenant's connection: read by members, changed by staff and workers; ``link`` opens rows to a link's holder."""
    readers = " OR ".join(part for part in (member(column), STAFF, link) if part)
    writers = " OR ".join(part for part in (STAFF, link) if part)
    return migrations.RunSQL(
        _forced(table)
        + f"CREATE POLICY people_read ON {table} FOR SELECT TO portal_web USING ({readers});"
        + f"CREATE POLICY staff_add ON {table} FOR INSERT TO portal_web WITH CHECK ({STAFF});"
        + f"CREATE POLICY staff_change ON {table} FOR UPDATE TO portal_web USING ({writers}) WITH CHECK ({writers});"
        + f"CREATE POLICY staff_remove ON {table} FOR DELETE TO portal_web USING ({STAFF});"
        + _policy(table, "workers", "portal_worker", "true")
        + f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO portal_web, portal_worker;"
        + _sequence(table),
        migrations.RunSQL.noop,
    )


def decisions(table: str, *, roles: str, columns: str) -> migrations.RunSQL:
    """What people decide about a tenant's content, each in their own name: read by members, made and changed by those
    whose role is one of ``roles`` (quoted, with commas), and changed in ``columns`` only. Workers as with content.
    """
    may = (
        f"tenant_id IN (SELECT m.tenant_id FROM tenants_membership m WHERE m.user_id = {USER} AND m.role IN ({roles}))"  # noqa: S608
    )
    return migrations.RunSQL(
        _forced(table)
        + f"CREATE POLICY people_read ON {table} FOR SELECT TO portal_web USING ({member('tenant_id')});"
        + f"CREATE POLICY people_decide ON {table} FOR INSERT TO portal_web WITH CHECK (user_id = {USER} AND {may});"
        + f"CREATE POLICY people_change ON {table} FOR UPDATE TO portal_web USING ({may}) WITH CHECK ({may});"
        + _claimed(table)
        + f"GRANT SELECT, INSERT, UPDATE ({columns}) ON {table} TO portal_web;"
        + f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO portal_worker;"
        + _sequence(table),
        migrations.RunSQL.noop,
    )


def own(table: str) -> migrations.RunSQL:
    """What belongs to one person and to no tenant: seen and added by that person alone, changed by nobody."""
    return migrations.RunSQL(
        _forced(table)
        + f"CREATE POLICY own_read ON {table} FOR SELECT TO portal_web USING (user_id = {USER});"
        + f"CREATE POLICY own_add ON {table} FOR INSERT TO portal_web WITH CHECK (user_id = {USER});"
        + f"GRANT SELECT, INSERT ON {table} TO portal_web;"
        + _sequence(table),
        migrations.RunSQL.noop,
    )


def shared(table: str, *, web: str = "SELECT", worker: str = "SELECT") -> migrations.RunSQL:
    """A table that belongs to no tenant: plain grants."""
    return migrations.RunSQL(
        f"GRANT {web} ON {table} TO portal_web; GRANT {worker} ON {table} TO portal_worker;" + _sequence(table),
        migrations.RunSQL.noop,
    )


def belongs(child: str, column: str, parent: str) -> migrations.RunSQL:
    """A composite foreign key: a child row and its parent are of the same tenant, whatever anybody writes."""
    return migrations.RunSQL(
        f"ALTER TABLE {child} ADD CONSTRAINT {child}_{column}_same_tenant "
        f"FOREIGN KEY (tenant_id, {column}) REFERENCES {parent} (tenant_id, id) "
        "ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;",
        f"ALTER TABLE {child} DROP CONSTRAINT {child}_{column}_same_tenant;",
    )


def _forced(table: str) -> str:
    return f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;" + _policy(
        table, "owner", "portal_owner", "true"
    )


def _claimed(table: str) -> str:
    return _policy(table, "claimed_tenant", "portal_worker", f"tenant_id = {TENANT}")


def _policy(table: str, name: str, role: str, condition: str) -> str:
    return f"CREATE POLICY {name} ON {table} TO {role} USING ({condition}) WITH CHECK ({condition});"


def _sequence(table: str) -> str:
    return (
        f"DO $$ BEGIN IF pg_get_serial_sequence('{table}', 'id') IS NOT NULL THEN "
        f"EXECUTE 'GRANT USAGE ON SEQUENCE ' || pg_get_serial_sequence('{table}', 'id') || "
        "' TO portal_web, portal_worker'; END IF; EXCEPTION WHEN undefined_column THEN NULL; END $$;"
    )
