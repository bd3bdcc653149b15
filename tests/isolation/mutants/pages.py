"""Breaks of pages, of the administration, and of work that waits.

Two of the three locks still hold where one is broken, as they should; so a break in a page comes with OPEN, which takes
row-level security out of the way (the pages answer as the owner of the tables), and takes the manager out itself.
"""

from tests.isolation.mutants.breaks import BYTES, PAST, SAME, TIME, Break, Edit, edit

OPEN = Edit("tests/conftest.py", 'with database_role("web"):', 'with database_role("owner"):')
ALL = "__import__('django.db.models', fromlist=['x']).QuerySet(model={})"
ONE_PAGE = "ORDER BY q.updated_at DESC, q.id DESC LIMIT %(limit)s"
MINE = "tenant_id__in=member_tenants(signed_in(request).pk)"
ACCESS = "tenants/access.py"
VIEW, VIEWS = "incidents/saved_views.py", "tests/incidents/test_saved_views.py::"
INCIDENT, QUEUE, ADMIN = "incidents/access.py", "incidents/queue_statements.py", "incidents/admin.py"
SIGHTINGS = "incidents/sightings.py"
UNSEEN = "tests/incidents/test_sightings.py::test_a_tenant_the_person_may_not_see_leaves_no_trace"
FOUND = 'Incident.objects.select_related("tenant").filter(tenant__slug'
HAS_PERM = """every page registered there; read-only ones refuse change.\"\"\"
        return self.is_active and self.is_staff"""
MAY = "if found is None or not may(user, found.tenant_id, to=Permission.READ_INCIDENTS):"

PAGES: tuple[Break, ...] = (
    Break(
        "an incident is opened by its number alone",
        (
            OPEN,
            edit(INCIDENT, FOUND, FOUND.replace("Incident.objects", ALL.format("Incident"))),
            edit(INCIDENT, MAY, "if found is None:"),
            edit(INCIDENT, "if not may(user, found.tenant_id, to=to):", "if False:"),
            edit("incidents/evidence_tables.py", "Evidence.objects", ALL.format("Evidence")),
        ),
        (f"{PAST}[incidents:incident]", f"{PAST}[incidents:raw]", f"{PAST}[incidents:evidence]"),
    ),
    Break(
        "seen elsewhere looks into every tenant",
        (
            OPEN,
            edit(SIGHTINGS, "e.value = w.value AND e.tenant_id = ANY(%(tenants)s::bigint[])", "e.value = w.value"),
            edit(SIGHTINGS, "Tenant.objects.in_bulk", f"{ALL.format('Tenant')}.in_bulk"),
        ),
        (UNSEEN,),
    ),
    Break(
        "seen elsewhere counts other people's tenants though nobody switched it on",
        (edit(SIGHTINGS, "if values and settings.SEEN_ELSEWHERE_COUNTS_ALL else", "if values else"),),
        (UNSEEN,),
    ),
    Break(
        "an outsider is told that an incident is not theirs",
        (
            OPEN,
            edit(INCIDENT, FOUND, FOUND.replace("Incident.objects", ALL.format("Incident"))),
            edit(INCIDENT, MAY, "if found is None:"),
        ),
        (f"{BYTES}[incidents:incident]", f"{BYTES}[incidents:raw]"),
    ),
    Break(
        "a tenant's page asks for no role",
        (
            OPEN,
            edit(
                ACCESS,
                'Tenant.objects.select_related("customer").filter(slug=slug)',
                ALL.format("Tenant") + '.select_related("customer").filter(slug=slug)',
            ),
            edit(
                ACCESS,
                "if tenant is None or not allows(user, tenant, Permission.READ_CONNECTION):",
                "if tenant is None:",
            ),
            edit(ACCESS, "if not allows(user, tenant, to):", "if False:"),
        ),
        (f"{PAST}[tenants:tenant]", f"{PAST}[tenants:tenant_state]"),
    ),
    Break(
        "the list of tenants is everybody's",
        (
            OPEN,
            edit(
                ACCESS,
                'visible = Tenant.objects.select_related("customer", "sync_state")',
                f'visible = {ALL.format("Tenant")}.select_related("customer", "sync_state")',
            ),
            edit(ACCESS, "    if user.is_staff:\n        return visible", "    if True:\n        return visible"),
        ),
        (f"{PAST}[tenants:tenants]", f"{SAME}test_no_sequence_of_requests_tells_whether_other_tenants_exist"),
    ),
    Break(
        "the queue is over every tenant",
        (
            OPEN,
            edit(
                "incidents/freshness.py",
                "WHERE t.id IN (SELECT m.tenant_id",
                "WHERE true OR t.id IN (SELECT m.tenant_id",
            ),
        ),
        (
            f"{PAST}[incidents:queue]",
            f"{PAST}[incidents:queue_rows]",
            f"{SAME}test_no_sequence_of_requests_tells_whether_other_tenants_exist",
        ),
    ),
    Break(
        "other tenants' incidents take the room on a page",
        (
            OPEN,
            edit(
                QUEUE,
                f"WHERE q.tenant_id = ANY(%(tenants)s::bigint[]){{narrow}} {ONE_PAGE}",
                f"WHERE true{{narrow}} {ONE_PAGE}",
            ),
        ),
        (
            f"{SAME}test_no_sequence_of_requests_tells_whether_other_tenants_exist",
            f"{SAME}test_no_page_shows_a_key_that_counts_the_rows_of_all_tenants",
        ),
    ),
    Break(
        "the filter offers everybody's analysts",
        (
            OPEN,
            edit(QUEUE, "WHERE q.tenant_id = ANY(%(tenants)s::bigint[]) AND q.is_open ORDER", "WHERE q.is_open ORDER"),
        ),
        (f"{SAME}test_no_sequence_of_requests_tells_whether_other_tenants_exist",),
    ),
    Break(
        "the menu of tenants and their freshness are everybody's",
        (
            OPEN,
            edit(
                "incidents/freshness.py",
                "WHERE t.id IN (SELECT m.tenant_id",
                "WHERE true OR t.id IN (SELECT m.tenant_id",
            ),
        ),
        (f"{PAST}[incidents:queue_tenants]", f"{PAST}[incidents:queue_freshness]"),
    ),
    Break(
        "a shared view tells whom it names",
        (edit("incidents/queue.py", "slug if slug in known else UNAVAILABLE", "slug"),),
        (f"{VIEWS}test_a_shared_view_tells_nobody_of_tenants_and_groups_they_may_not_see",),
    ),
    Break(
        "a saved view is anybody's who knows its key",
        (
            OPEN,
            edit(
                VIEW,
                "mine = SavedView.objects.filter(Q(owner=user) | Q(is_shared=True))",
                "mine = SavedView.objects.all()",
            ),
        ),
        (f"{PAST}[incidents:saved_view]", f"{VIEWS}test_what_is_not_shared_does_not_exist_for_others"),
    ),
    Break(
        "a shared view is changed by everybody",
        (
            OPEN,
            edit(
                VIEW, "return view.owner_id == user.pk or (view.is_shared and user.is_staff)", "return view.is_shared"
            ),
        ),
        (f"{VIEWS}test_a_shared_view_is_changed_by_its_owner_and_by_staff_and_by_nobody_else",),
    ),
    Break(
        "a cursor works for whoever has it",
        (
            edit(
                "incidents/cursor.py", "if (owner, asked) == (user_id, query) else None", "if asked == query else None"
            ),
        ),
        ("tests/incidents/test_queue.py::test_a_cursor_of_somebody_else_or_of_other_filters_is_the_first_page",),
    ),
    Break(
        "pages are kept for the next person",
        (
            edit(
                "incidents/views/queue.py",
                "@require_safe\ndef queue(",
                "_kept: dict[str, HttpResponse] = {}\n\n\ndef _keep(view):  # type: ignore[no-untyped-def]\n"
                "    return lambda request: _kept.setdefault(request.get_full_path(), view(request))\n\n\n"
                "@_keep\n@require_safe\ndef queue(",
            ),
        ),
        (f"{SAME}test_no_page_is_kept_for_the_next_person_x7[/incidents/]",),
    ),
    Break(
        "a page forgets to ask who you are",
        (
            edit(
                "incidents/views/queue.py",
                "@require_safe\ndef queue(",
                "@__import__('django.contrib.auth.decorators', fromlist=['x']).login_not_required\n"
                "@require_safe\ndef queue(",
            ),
        ),
        (f"{PAST}[incidents:queue]",),
    ),
    Break(
        "a page nobody has thought about",
        (
            edit(
                "incidents/urls.py",
                'path("rows/", views.queue_rows, name="queue_rows"),',
                'path("rows/", views.queue_rows, name="queue_rows"),\n'
                '    path("all/", views.queue_rows, name="all_rows"),',
            ),
        ),
        (f"{PAST}[incidents:all_rows]",),
        brings_its_case=True,
    ),
    Break(
        "a page is sent as a stream",
        (
            edit(
                "incidents/views/incident.py",
                'return _shown(request, found, "incidents/_raw.html", context)',
                "from django.http import StreamingHttpResponse\n\n"
                '    page = _shown(request, found, "incidents/_raw.html", context)\n'
                "    return StreamingHttpResponse(iter([page.content]))",
            ),
        ),
        (f"{TIME}test_no_answer_is_a_stream_that_could_outlive_its_scope",),
    ),
    Break(
        "anybody may connect tenants",
        (edit(ACCESS, "if not (user.is_active and user.is_staff and staff_allows(Permission.CONNECT)):", "if False:"),),
        (f"{PAST}[tenants:connect_tenant]",),
    ),
    Break(
        "refusals are not noted",
        (edit("portal/settings.py", '    "accounts.denials.DenialMiddleware",\n', ""),),
        (f"{PAST}[incidents:incident]", f"{PAST}[tenants:disconnect]"),
    ),
    # The administration.
    Break(
        "the administration is everybody's",
        (
            edit(
                "portal/admin.py",
                "if request.user.is_authenticated and not super().has_permission(request):",
                "if False:",
            ),
            edit("portal/admin.py", "        return super().has_permission(request)", "        return True"),
            edit("accounts/models.py", HAS_PERM, HAS_PERM.replace("self.is_active and self.is_staff", "True")),
        ),
        (f"{PAST}[admin:index]", f"{PAST}[admin:tenants_tenant_changelist]"),
    ),
    Break(
        "the administration lists every incident",
        (
            OPEN,
            edit(
                ADMIN,
                f"return super().get_queryset(request).filter({MINE})",
                "return __import__('django.db.models', fromlist=['x']).QuerySet(model=self.model).all()",
            ),
        ),
        (
            f"{PAST}[admin:incidents_incident_changelist]",
            f"{PAST}[admin:incidents_incident_change]",
            f"{PAST}[admin:incidents_quarantine_change]",
        ),
    ),
    Break(
        "the administration leads away from what is not there",
        (
            edit(
                ADMIN,
                "        raise Http404\n",
                "        return super()._get_obj_does_not_exist_redirect(request, opts, object_id)\n",
            ),
        ),
        (f"{PAST}[admin:incidents_incident_change]", f"{PAST}[admin:incidents_quarantine_history]"),
    ),
    Break(
        "a filter of the administration names every tenant",
        (
            edit(
                ADMIN,
                "mine = Tenant.objects.filter(pk__in=member_tenants(signed_in(request).pk)).order_by(",
                "mine = Tenant.objects.order_by(",
            ),
        ),
        (
            f"{SAME}test_no_sequence_of_requests_tells_whether_other_tenants_exist",
            "tests/incidents/test_incidents_admin.py::"
            "test_staff_see_incidents_of_their_grants_and_filters_name_no_other_tenant",
        ),
    ),
    # Decisions about all pages, and about what was merged.
    Break(
        "all pages name what may only be read",
        (edit("incidents/matching.py", "if key in access and access[key].is_open}", "if key}"),),
        ("tests/incidents/test_matching.py::test_tenants_that_cannot_be_changed_take_no_ones_place",),
    ),
    Break(
        "all pages name every tenant",
        (
            OPEN,
            edit(
                "incidents/matching.py",
                "WHERE i.tenant_id = ANY(%(tenants)s::bigint[]) AND i.id = ANY(ARRAY({keys}))",
                "WHERE i.tenant_id = ANY(%(tenants)s::bigint[]) OR i.is_open",
            ),
        ),
        (
            "tests/incidents/test_matching.py::"
            "test_the_form_is_about_all_pages_of_ones_own_tenants_and_of_no_others_f73",
        ),
    ),
    Break(
        "a yes to one merge is a yes to any",
        (
            edit(
                "incidents/triage.py",
                "(found.target and target.to_merged == found.target.number)",
                "(found.target and target.to_merged)",
            ),
        ),
        ("tests/incidents/test_triage.py::test_a_yes_to_one_incident_is_no_yes_to_another",),
    ),
    # Work that waits.
    Break(
        "a task believes its message",
        (edit("incidents/tasks.py", "def sync_due() -> None:", "def sync_due(tenant_id: int = 0) -> None:"),),
        (f"{TIME}test_every_task_says_for_whom_it_acts_and_takes_nothing_from_its_message",),
    ),
    Break(
        "a tenant that was disconnected is read once more",
        (
            edit(
                "tenants/leases.py",
                "    WHERE t.state = ANY (%(states)s) AND (s.lease_until IS NULL",
                "    WHERE %(states)s::text[] IS NOT NULL AND (s.lease_until IS NULL",
            ),
        ),
        (f"{TIME}test_a_tenant_disconnected_while_its_wake_up_waits_is_not_read_o1",),
    ),
)
