"""The queue: a page, its live part, which the page asks for again and again, and the parts that menus ask for."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe
from django_htmx.http import trigger_client_event

from accounts.models import User
from accounts.roles import Permission
from incidents.access import may_anywhere, signed_in
from incidents.facets import counts_for, live_facets
from incidents.filters import address_for, read_filters
from incidents.freshness import tenants_for, worst_first
from incidents.models import SavedView
from incidents.overlay import overlaid, overlay_of
from incidents.queue import QueuePage, bounds, chosen_tenants, for_person, is_found_exactly, queue_page, resolved
from incidents.saved_views import Preference, access_view, filters_of, preference_of
from incidents.tenant_choices import choices_for
from incidents.views.queue_parts import bar, exact_facets, live
from incidents.views.triage import triage_frame

FRESHNESS_SHOWN = 100  # ours: tenants in the panel at once


@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    """The page; asked by the filter bar, its live part alone, with the address to show for it."""
    user, filters = signed_in(request), read_filters(request.GET)
    preference, is_part = preference_of(user), _wants_part(request)
    if preference.default and not request.GET and not is_part:
        return redirect(preference.default)
    page = overlaid(queue_page(user, filters, request.GET.get("after", ""), by_tenant=not is_part))
    shown = live(page, preference)
    if is_part:
        part = render(request, "incidents/_queue.html", shown)
        part.headers["HX-Push-Url"] = address_for(filters)
        return part
    return render(request, "incidents/queue.html", shown | _around(user, page, preference, request.GET))


@require_safe
def saved_view(request: HttpRequest, view: UUID) -> HttpResponse:
    """The queue with the filters of a saved view, at an address that stays when they are changed."""
    user = signed_in(request)
    kept = access_view(user, view)
    filters = for_person(user, filters_of(kept), tenants_for(user, timezone.now()))
    page, preference = overlaid(queue_page(user, filters, by_tenant=True)), preference_of(user)
    shown = live(page, preference) | _around(user, page, preference, request.GET, kept)
    return render(request, "incidents/queue.html", shown)


@require_safe
def queue_rows(request: HttpRequest) -> HttpResponse:
    """The live part of the first page, or 204 where the browser's ``version`` is still current.

    Freshness moves on while nothing else does, so an answer without content carries it in an event.
    """
    user = signed_in(request)
    current = overlay_of(queue_page(user, read_filters(request.GET)))
    if request.GET.get("version") != current.version:
        return render(request, "incidents/_queue.html", live(current.page(), preference_of(user)))
    oldest = current.under.freshness.oldest
    return trigger_client_event(
        HttpResponse(status=204), "freshness", {"oldest": oldest.isoformat() if oldest else None}
    )


@require_safe
def queue_tenants(request: HttpRequest) -> HttpResponse:
    """The menu of tenants, narrowed by what was typed."""
    tenants = tenants_for(signed_in(request), timezone.now())
    chosen = read_filters(request.GET).tenants
    choices = choices_for(tenants, chosen, request.GET.get("named", "")[:100])
    return render(request, "incidents/_tenant_choices.html", {"choices": choices})


@require_safe
def queue_facets(request: HttpRequest) -> HttpResponse:
    """What can be chosen next within the filters, with counts."""
    user, filters = signed_in(request), read_filters(request.GET)
    tenants, _ = chosen_tenants(user, filters, tenants_for(user, timezone.now()))
    asked = resolved(user, filters, tenants)
    exactly = is_found_exactly(asked, [tenant.id for tenant in tenants])
    counted: dict[str, Any] = {
        "exact": exact_facets(filters, counts_for(filters, tenants)),
        "live": live_facets(asked, tenants, exactly=exactly, bounds=bounds()),
    }
    return render(request, "incidents/_facets.html", counted)


@require_safe
def queue_freshness(request: HttpRequest) -> HttpResponse:
    """How fresh each tenant is, those in trouble first."""
    tenants = worst_first(tenants_for(signed_in(request), timezone.now()))
    shown = {"tenants": tenants[:FRESHNESS_SHOWN], "hidden": max(0, len(tenants) - FRESHNESS_SHOWN)}
    return render(request, "incidents/_freshness.html", shown)


def _around(
    user: User, page: QueuePage, preference: Preference, query: QueryDict, view: SavedView | None = None
) -> dict[str, Any]:
    """What the page has around its live part: filters, and actions for whoever may act somewhere."""
    actions = {"may_triage": may_anywhere(user, to=Permission.TRIAGE), **triage_frame()}
    return bar(user, page, preference, query, view) | actions


def _wants_part(request: HttpRequest) -> bool:
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and not htmx.history_restore_request
