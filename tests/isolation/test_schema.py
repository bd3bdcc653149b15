"""ISO-1: every table of the database is classified, and guarded as its class demands. Read from the catalog itself."""

from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import ForeignKey

pytestmark = [pytest.mark.django_db, pytest.mark.short]

# A tenant's connection: staff and workers see every tenant's, members their own.
CONNECTION = {
    "tenants_budget",
    "tenants_completenesscheck",
    "tenants_consentrequest",
    "tenants_relink",
    "tenants_syncrun",
    "tenants_syncstate",
    "tenants_tenantgroupmember",
    "tenants_tokenfacts",
}
# Guarded by row-level security, but not by a tenant_id of their own that may not be empty.
SPECIAL = {
    "tenants_tenant": "is the tenant; its id stands where others have tenant_id",
    "tenants_customer": "shows through its tenants; one customer may have several",
    "tenants_grant": "is over a tenant or a group; people see their own, staff all",
    "tenants_membership": "says who is a member; people see their own",
}
SHARED = {
    "accounts_user": "people belong to the MSSP and not to a tenant; pages about them are for staff",
    "audit_auditevent": "append-only, outlives what it speaks of; pages about it are for staff",
    "audit_segment": "which rows of the audit log were sealed into which file",
    "accounts_tries": "counts of tries to sign in, under hashed keys; no page shows them",
    "accounts_visit": "who is signed in where; people's pages show their own",
    "auth_group": "Django's own, empty: roles come from grants",
    "auth_group_permissions": "Django's own, empty: roles come from grants",
    "auth_permission": "Django's own: names of models",
    "django_admin_log": "what staff changed in the administration; pages about it are for staff",
    "django_content_type": "Django's own: names of models",
    "django_migrations": "Django's own: names of migrations",
    "django_session": "signed-in browsers; the key is a secret of its browser",
    "incidents_queuepreference": "how a person wants the queue; under row-level security of its own, by person",
    "incidents_savedview": "filters under a name, never data; under row-level security of its own, by person",
    "otp_static_staticdevice": "second factors of the MSSP's own people; no page shows them",
    "otp_static_statictoken": "recovery codes of the MSSP's own people, hashed",
    "otp_totp_totpdevice": "second factors of the MSSP's own people; shown once, to their person",
    "tenants_alarm": "what the MSSP itself must mend; shown to staff",
    "tenants_breaker": "the state of the MSSP's own credential; shown to staff",
    "tenants_tenantgroup": "names of groups the MSSP made, changed by staff; which tenants are in one is guarded",
}
# A duplicate in one of these tells that a value exists in a tenant one may not see.
UNIQUE_WITHOUT_TENANT = {
    ("tenants_consentrequest", "link_hash"): "a hash of 256 random bits: nobody can guess one that exists",
    ("tenants_consentrequest", "state_hash"): "a hash of 256 random bits: nobody can guess one that exists",
    ("tenants_customer", "name"): "only staff name customers, and they see all of them",
    ("tenants_grant", "user_id,role,tenant_id,group_id"): "only staff grant roles",
    ("tenants_tenant", "entra_id"): "two customers may never hold one tenant; only staff pin ids",
    ("tenants_tenant", "slug"): "stands in addresses; only staff name tenants",
}
FOREIGN_WITHOUT_TENANT = {
    ("tenants_tenant", "customer_id", "tenants_customer"): "the customer shows through the tenant",
    ("tenants_tenantgroupmember", "group_id", "tenants_tenantgroup"): "groups are shared",
    ("tenants_relink", "asked_by_id", "accounts_user"): "people are shared",
    ("tenants_relink", "agreed_by_id", "accounts_user"): "people are shared",
}
DEFINERS = {
    "audit_append": "portal_audit",  # the only way to write an audit row
    "audit_seal": "portal_audit",  # the only way to remove some, into a sealed file; the owner's commands alone may
    "tenants_refresh_membership": "portal_owner",  # memberships follow from grants, whoever changes those
}
INVOKER_VIEWS = {"tenants_wanted_membership"}
ROLES = {"portal_owner", "portal_web", "portal_worker", "portal_audit"}


def rows(query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())


def tables() -> set[str]:
    found = rows(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'f', 'm')"
    )
    return {name for (name,) in found}


def content() -> set[str]:
    """Whatever is in none of the lists has to be guarded as content is."""
    return tables() - CONNECTION - set(SPECIAL) - set(SHARED)


def guarded() -> set[str]:
    return tables() - set(SHARED)


def test_the_lists_name_only_tables_that_exist() -> None:
    assert not (CONNECTION | set(SPECIAL) | set(SHARED)) - tables()
    assert {"incidents_incident", "incidents_alert", "incidents_evidence", "incidents_incidentraw"} <= content()


def test_every_guarded_table_has_row_level_security_enabled_and_forced() -> None:
    locked = rows("SELECT relname FROM pg_class WHERE relrowsecurity AND relforcerowsecurity")
    assert guarded() - {name for (name,) in locked} == set()


def test_a_table_that_names_tenants_is_not_called_shared() -> None:
    naming = rows(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant_id'"
    )
    assert not {name for (name,) in naming} & set(SHARED)


def test_tenant_id_is_never_empty_and_refers_to_a_tenant() -> None:
    filled = rows(
        "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' "
        "AND column_name = 'tenant_id' AND is_nullable = 'NO'"
    )
    referring = rows(
        "SELECT c.conrelid::regclass::text FROM pg_constraint c "
        "JOIN pg_attribute a ON a.attrelid = c.conrelid AND c.conkey = ARRAY[a.attnum] "
        "WHERE c.contype = 'f' AND a.attname = 'tenant_id' AND c.confrelid = 'tenants_tenant'::regclass"
    )
    owned = content() | CONNECTION
    assert owned - {name for (name,) in filled} == set()
    assert owned - {name for (name,) in referring} == set()


def policies(table: str) -> list[tuple[Any, ...]]:
    return rows(
        "SELECT policyname, permissive, roles::text[], cmd, qual, with_check FROM pg_policies "
        "WHERE schemaname = 'public' AND tablename = %s",
        table,
    )


def test_policies_are_for_named_roles_and_check_what_is_written() -> None:
    for table in guarded():
        for name, permissive, roles, command, _, check in policies(table):
            assert permissive == "PERMISSIVE", (table, name)
            assert len(roles) == 1, (table, name)
            assert set(roles) <= ROLES - {"portal_audit"}, (table, name)
            assert check or command in {"SELECT", "DELETE"}, (table, name)


def test_content_is_open_to_members_and_to_the_worker_with_the_claim() -> None:
    for table in content():
        by_role = {roles[0]: (command, qual, check) for _, _, roles, command, qual, check in policies(table)}
        assert len(policies(table)) == 3, table
        command, qual, check = by_role["portal_web"]
        assert (command, qual) == ("ALL", check)
        assert "app.user_id" in qual
        assert "tenants_membership" in qual
        assert "is_staff" not in qual, "staff read content by grants, like everybody else"
        command, qual, check = by_role["portal_worker"]
        assert (command, qual) == ("ALL", check)
        assert qual.startswith("(tenant_id = ")
        assert "app.tenant_id" in qual


def test_people_write_a_connection_only_as_staff_or_by_a_link() -> None:
    for table in CONNECTION | {"tenants_tenant", "tenants_customer", "tenants_grant"}:
        for name, _, roles, command, qual, check in policies(table):
            if roles == ["portal_web"] and command != "SELECT":
                assert "is_staff" in (check or qual), (table, name)


def test_every_unique_constraint_includes_the_tenant_x8() -> None:
    found = rows(
        "SELECT i.indrelid::regclass::text, string_agg(a.attname, ',' ORDER BY k.n) FROM pg_index i "
        "CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, n) "
        "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum "
        "WHERE i.indisunique AND NOT i.indisprimary GROUP BY i.indexrelid, i.indrelid"
    )
    without = {
        (table, columns)
        for table, columns in found
        if table in guarded() and ("tenant_id" not in columns.split(",") or (table, columns) in UNIQUE_WITHOUT_TENANT)
    }
    assert without == set(UNIQUE_WITHOUT_TENANT)


def test_every_foreign_key_includes_the_tenant_x8() -> None:
    found = rows(
        "SELECT c.conrelid::regclass::text, string_agg(a.attname, ',' ORDER BY k.n), c.confrelid::regclass::text "
        "FROM pg_constraint c CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(attnum, n) "
        "JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum "
        "WHERE c.contype = 'f' GROUP BY c.oid, c.conrelid, c.confrelid"
    )
    access = {"tenants_grant", "tenants_membership"}
    without = {
        (table, columns, parent)
        for table, columns, parent in found
        if table in guarded() - access and "tenant_id" not in columns.split(",")
    }
    assert without == set(FOREIGN_WITHOUT_TENANT)


def test_every_relation_of_a_model_is_held_by_the_database_x8() -> None:
    found = rows(
        "SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text FROM pg_constraint c "
        "JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) WHERE c.contype = 'f'"
    )
    relations = {
        (model._meta.db_table, field.column, field.related_model._meta.db_table)
        for model in apps.get_models()
        for field in model._meta.local_fields
        if isinstance(field, ForeignKey) and model._meta.db_table in guarded()
    }
    assert relations - set(found) == set(), "db_constraint=False wants rls.belongs() in a migration"


def test_no_role_of_the_portal_may_pass_row_level_security_by() -> None:
    powers = rows(
        "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) "
        "AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)",
        sorted(ROLES),
    )
    assert powers == []
    borrowed = rows(
        "SELECT r.rolname, m.rolname FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid "
        "JOIN pg_roles m ON m.oid = a.member WHERE m.rolname = ANY(%s)",
        sorted(ROLES),
    )
    assert borrowed == [("portal_audit", "portal_owner")]


def test_tables_belong_to_the_owner_and_nothing_is_open_to_everybody() -> None:
    owners = rows(
        "SELECT relowner::regrole::text, array_agg(relname::text ORDER BY relname) FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v') GROUP BY 1 ORDER BY 1"
    )
    assert [owner for owner, _ in owners] == ["portal_audit", "portal_owner"]
    assert owners[0][1] == ["audit_auditevent", "audit_segment"]
    to_everybody = rows(
        "SELECT table_name FROM information_schema.role_table_grants "
        "WHERE table_schema = 'public' AND grantee = 'PUBLIC'"
    )
    assert to_everybody == []


def test_the_audit_log_can_only_be_read_by_web_and_worker() -> None:
    granted = rows(
        "SELECT grantee, string_agg(privilege_type, ',' ORDER BY privilege_type) "
        "FROM information_schema.role_table_grants "
        "WHERE table_name = 'audit_auditevent' AND grantee <> 'portal_owner' GROUP BY grantee ORDER BY grantee"
    )
    assert granted == [("portal_audit", "DELETE,INSERT,SELECT"), ("portal_web", "SELECT"), ("portal_worker", "SELECT")]


def test_sealed_rows_are_taken_out_by_the_owners_commands_alone() -> None:
    may = rows(
        "SELECT r FROM unnest(ARRAY['portal_web', 'portal_worker', 'portal_owner']) r "
        "WHERE has_function_privilege(r, 'audit_seal(jsonb)', 'EXECUTE')"
    )
    assert may == [("portal_owner",)]


def test_functions_that_lend_their_owners_power_are_few_and_fixed() -> None:
    found = rows(
        "SELECT proname, proowner::regrole::text, proconfig::text FROM pg_proc "
        "WHERE pronamespace = 'public'::regnamespace AND prosecdef"
    )
    assert {(name, owner) for name, owner, _ in found} == set(DEFINERS.items())
    assert all('"search_path=public, pg_temp"' in config for *_, config in found)
    open_to_all = rows(
        "SELECT proname FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace "
        "AND has_function_privilege('public', oid, 'EXECUTE')"
    )
    assert open_to_all == []


def test_views_look_with_the_eyes_of_whoever_asks() -> None:
    views = rows(
        "SELECT relname, coalesce(reloptions::text, '') FROM pg_class "
        "WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'"
    )
    assert {name for name, _ in views} == INVOKER_VIEWS
    assert all("security_invoker=true" in options for _, options in views)
    assert not rows("SELECT 1 FROM pg_matviews WHERE schemaname = 'public'")
