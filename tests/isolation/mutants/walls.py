"""Breaks of the manager, of row-level security, and of what follows from grants."""

from tests.isolation.mutants.breaks import BY_DATABASE, BY_MANAGER, MANAGERS, OPERATIONS, SCHEMA, TIME, Break, edit

SCOPE, RLS = "tenants/scope.py", "tenants/rls.py"

WALLS: tuple[Break, ...] = (
    # The manager.
    Break(
        "the manager narrows nothing for people",
        (
            edit(
                SCOPE,
                'return everything.filter(**{f"{self.tenant_path}__in": member_tenants(scope.user_id)})',
                "return everything",
            ),
        ),
        (f"{BY_MANAGER}_person_inside", f"{OPERATIONS}test_what_hangs_on_another_tenants_row_stays_out_of_reach"),
    ),
    Break(
        "the manager narrows nothing for workers",
        (edit(SCOPE, "return everything.filter(**{self.tenant_path: scope.tenant_id})", "return everything"),),
        (f"{BY_MANAGER}_worker_inside",),
    ),
    Break(
        "the manager answers outside a scope",
        (edit(SCOPE, 'raise NoScope("Tenant-owned data was asked for outside a scope.")', "return Scope()"),),
        (f"{MANAGERS}test_no_manager_answers_outside_a_scope",),
    ),
    Break(
        "everybody sees every connection",
        (edit(SCOPE, "if scope.is_operations or scope.is_staff:", "if True:"),),
        (f"{BY_MANAGER}_person_inside",),
    ),
    Break(
        "a link opens every connection",
        (edit(SCOPE, "return everything.none()\n\n\ndef member_tenants", "return everything\n\n\ndef member_tenants"),),
        (f"{MANAGERS}test_the_manager_alone_shows_the_holder_of_a_link_one_request_and_its_tenant",),
    ),
    Break(
        "related objects come from a manager that narrows nothing",
        (
            edit(
                "incidents/models/incident.py",
                '        base_manager_name = "objects"\n        ordering',
                "        ordering",
            ),
        ),
        (f"{MANAGERS}test_no_manager_answers_outside_a_scope",),
    ),
    # Decisions.
    Break(
        "whoever may only read decides",
        (edit(RLS, " AND m.role IN ({roles})", ""),),
        (f"{SCHEMA}test_people_decide_in_their_own_name_and_only_where_they_may_triage",),
    ),
    Break(
        "people decide in another's name",
        (edit(RLS, "WITH CHECK (user_id = {USER} AND {may})", "WITH CHECK ({may})"),),
        (f"{SCHEMA}test_people_decide_in_their_own_name_and_only_where_they_may_triage",),
    ),
    # Row-level security.
    Break(
        "one table has no row-level security",
        (
            edit(
                RLS,
                'return f"ALTER TABLE {table} ENABLE',
                'return "" if table == "incidents_alert" else f"ALTER TABLE {table} ENABLE',
            ),
        ),
        (
            f"{SCHEMA}test_every_guarded_table_has_row_level_security_enabled_and_forced",
            f"{BY_DATABASE}_person_inside",
            f"{BY_DATABASE}_worker_inside",
        ),
    ),
    Break(
        "the owner passes row-level security by",
        (edit(RLS, "ALTER TABLE {table} FORCE ROW LEVEL SECURITY;", ""),),
        (f"{SCHEMA}test_every_guarded_table_has_row_level_security_enabled_and_forced",),
    ),
    Break(
        "people read all content",
        (
            edit(
                RLS,
                '_policy(table, "people", "portal_web", member("tenant_id"))',
                '_policy(table, "people", "portal_web", "true")',
            ),
        ),
        (f"{SCHEMA}test_content_is_open_to_members_and_to_the_worker_with_the_claim", f"{BY_DATABASE}_person_inside"),
    ),
    Break(
        "staff read all content",
        (
            edit(
                RLS,
                '_policy(table, "people", "portal_web", member("tenant_id"))',
                '_policy(table, "people", "portal_web", member("tenant_id") + " OR " + STAFF)',
            ),
        ),
        (f"{SCHEMA}test_content_is_open_to_members_and_to_the_worker_with_the_claim",),
    ),
    Break(
        "workers need no claim",
        (
            edit(
                RLS,
                '_policy(table, "claimed_tenant", "portal_worker", f"tenant_id = {TENANT}")',
                '_policy(table, "claimed_tenant", "portal_worker", "true")',
            ),
        ),
        (f"{SCHEMA}test_content_is_open_to_members_and_to_the_worker_with_the_claim", f"{BY_DATABASE}_worker_inside"),
    ),
    Break(
        "a policy does not look at what is written",
        (edit(RLS, "USING ({condition}) WITH CHECK ({condition})", "USING ({condition}) WITH CHECK (true)"),),
        (f"{MANAGERS}test_a_worker_cannot_write_into_a_tenant_it_has_not_claimed",),
    ),
    Break(
        "pages may write content",
        (
            edit(
                RLS,
                'def content(table: str, *, web: str = "SELECT")',
                'def content(table: str, *, web: str = "SELECT, INSERT, UPDATE, DELETE")',
            ),
        ),
        (f"{MANAGERS}test_people_write_no_content_at_all",),
    ),
    Break(
        "children hang on parents of any tenant",
        (
            edit(
                RLS,
                '"ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;"',
                '"ON DELETE CASCADE NOT VALID DEFERRABLE;"'
                ' f"ALTER TABLE {child} DROP CONSTRAINT {child}_{column}_same_tenant;"',
            ),
        ),
        (
            f"{SCHEMA}test_every_relation_of_a_model_is_held_by_the_database_x8",
            f"{MANAGERS}test_a_child_cannot_hang_on_another_tenants_parent_x8",
        ),
    ),
    Break(
        "a scope outlives its transaction",
        (edit(SCOPE, "set_config(%s, %s, true)", "set_config(%s, %s, false)"),),
        ("tests/tenants/test_scope.py::test_a_scope_tells_the_database_and_takes_it_back",),
    ),
    Break(
        "a view looks with its owner's eyes",
        (edit("tenants/migrations/0002_row_level_security.py", " WITH (security_invoker = true)", ""),),
        (f"{SCHEMA}test_views_look_with_the_eyes_of_whoever_asks",),
    ),
    Break(
        "a grant taken away leaves the membership",
        (
            edit(
                "tenants/migrations/0002_row_level_security.py",
                "AFTER INSERT OR UPDATE OR DELETE ON tenants_grant",
                "AFTER INSERT OR UPDATE ON tenants_grant",
            ),
        ),
        (
            f"{TIME}test_a_grant_taken_away_ends_every_page_with_the_next_request",
            f"{TIME}test_a_live_page_gets_nothing_more_of_a_tenant_whose_grant_is_gone",
            f"{TIME}test_the_next_page_leads_on_without_a_tenant_whose_grant_is_gone_x5",
        ),
    ),
)
