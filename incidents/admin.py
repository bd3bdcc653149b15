"""Incidents and quarantine in the administration: to look at, never to change, and only where a grant says so.

Being staff opens the administration but no incident: the managers and row-level security narrow these pages to the
person's own memberships, and the filters offer no other tenant.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.actor import actor_for
from audit.admin import ReadOnlyAdmin
from defender.cleaning import searchable
from incidents import assignee_admin  # noqa: F401  its pages
from incidents.access import signed_in
from incidents.models import Incident, Quarantine
from incidents.reading import note_read
from tenants.models import Tenant
from tenants.scope import member_tenants

# Ours: rows counted for the pager; counting all of a big table would take longer than anybody waits.
COUNTED = 5_000
# Ours: quarantined bytes shown.
BODY_SHOWN = 2_000


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts up to COUNTED and stops there."""

    @cached_property
    def count(self) -> int:
        """At most COUNTED."""
        found: Any = self.object_list
        return int(found[:COUNTED].count())


class MyTenantsFilter(admin.SimpleListFilter):
    """The tenants whose incidents the person may read, and no other name."""

    title = "tenant"
    parameter_name = "tenant"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        """Slug and name."""
        mine = Tenant.objects.filter(pk__in=member_tenants(signed_in(request).pk)).order_by("name")
        return list(mine.values_list("slug", "name"))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Narrowed to the chosen tenant."""
        return queryset.filter(tenant__slug=self.value()) if self.value() else queryset


@dataclass(frozen=True, slots=True)
class RowByKey:
    """Stands for a row where the admin's templates would print its name."""

    pk: str

    def __str__(self) -> str:
        return f"row {self.pk}"


class ContentAdmin(ReadOnlyAdmin):
    """What the admin pages of incident content have in common."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # facets count everything
    list_per_page = 50
    list_select_related = ["tenant"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Only the person's tenants, said once more here."""
        return super().get_queryset(request).filter(tenant_id__in=member_tenants(signed_in(request).pk))

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponse:
        """Refused like everywhere else: Django would lead to its first page, which nobody could tell from a slip."""
        raise Http404

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Titles and breadcrumbs name the row by its key: the name it has was written by an attacker."""
        row = RowByKey(object_id or "")
        context = {**(extra_context or {}), "subtitle": str(row), "original": row}
        answer: HttpResponse = super().changeform_view(request, object_id, form_url, context)
        return answer

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Looking here is looking: a line in the audit log, once the page is made, as on the incident's own page."""
        answer: Any = super().render_change_form(request, context, *args, **kwargs)
        found, by = kwargs["obj"], actor_for(request)
        answer.add_post_render_callback(lambda _: note_read(found, by=by, now=timezone.now()))
        return answer


@admin.register(Incident)
class IncidentAdmin(ContentAdmin):
    """Newest first; search by number or by words."""

    list_display = ["number", "shown_name", "tenant", "severity", "status", "shown_assignee", "updated_at"]
    list_filter = ["severity", "status", MyTenantsFilter]
    search_fields = ["number"]
    fields = [
        "number",
        "shown_name",
        "tenant",
        ("severity", "remote_severity"),
        ("status", "remote_status", "redirect_number"),
        "shown_assignee",
        ("classification", "determination"),
        ("alert_count", "evidence_count"),
        ("created_at", "updated_text"),
        ("first_seen_at", "changed_at", "gone_at"),
        ("is_stub", "cleaned", "parser_version"),
    ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Every word occurs in the search text or is the number."""
        for word in searchable(search_term.replace("\x00", "")).split()[:8]:
            found = Q(search__text__contains=word)
            if word.isascii() and word.isdigit() and len(word) < 19:
                found |= Q(number=int(word))
            queryset = queryset.filter(found)
        return queryset, False

    @admin.display(description="name", ordering="name")
    def shown_name(self, incident: Incident) -> str:
        """Attacker's text, with what hides in it made visible."""
        return shown(incident.name)

    @admin.display(description="assigned to")
    def shown_assignee(self, incident: Incident) -> str:
        """Whoever Microsoft says."""
        return shown(incident.assigned_to or "nobody")


@admin.register(Quarantine)
class QuarantineAdmin(ContentAdmin):
    """What could not be read, why, and the first bytes of it."""

    list_display = ["number", "tenant", "reason", "size", "seen_at", "settled_at"]
    list_filter = ["reason", MyTenantsFilter]
    search_fields = ["=number"]
    ordering = ["-seen_at"]
    fields = ["tenant", "number", "reason", "sentence", "size", "parser_version", "seen_at", "settled_at", "body_shown"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The list does not fetch bodies."""
        return super().get_queryset(request).defer("body")

    @admin.display(description=f"first {BODY_SHOWN} characters")
    def body_shown(self, kept: Quarantine) -> str:
        """Everything but plain ASCII as an escape, so that nothing in it can act."""
        head = bytes(kept.body)[: 4 * BODY_SHOWN].decode("utf-8", "backslashreplace")
        return head.encode("unicode_escape").decode("ascii")[:BODY_SHOWN]


def shown(text: str) -> str:
    """Foreign text through the filter that all pages use; rendering it has escaped it, once."""
    return str(render_to_string("incidents/_text.html", {"text": text}))
