"""The queue: a page, and its live part, which the page asks for again and again."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from django_htmx.http import trigger_client_event

from incidents.access import signed_in
from incidents.filters import NOBODY, SEVERITIES, STATUSES, Filters, address_for, chips_for, query_for, read_filters
from incidents.overlay import overlaid
from incidents.queue import SEARCHED, QueuePage, assignees_for, queue_page
from incidents.views.triage import triage_frame

# A tenant list longer than this gets a box to search in.
LONG_LIST = 12
POLL_SECONDS = 5


@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    """The page; asked by the filter bar, its live part alone, with the address to show for it."""
    filters = read_filters(request.GET)
    page = queue_page(signed_in(request), filters, request.GET.get("after", ""))
    if _wants_part(request):
        part = render(request, "incidents/_queue.html", _live(page))
        part.headers["HX-Push-Url"] = address_for(filters)
        return part
    return render(request, "incidents/queue.html", {**_live(page), **_bar(page), **triage_frame()})


@require_safe
def queue_rows(request: HttpRequest) -> HttpResponse:
    """The live part of the first page, or 204 where the browser's ``version`` is still current.

    Freshness moves on while nothing else does, so an answer without content carries it in an event.
    """
    page = queue_page(signed_in(request), read_filters(request.GET))
    live = _live(page)
    if request.GET.get("version") != live["version"]:
        return render(request, "incidents/_queue.html", live)
    oldest = page.freshness.oldest
    return trigger_client_event(
        HttpResponse(status=204), "freshness", {"oldest": oldest.isoformat() if oldest else None}
    )


def _wants_part(request: HttpRequest) -> bool:
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and not htmx.history_restore_request


def _live(page: QueuePage) -> dict[str, Any]:
    names = {tenant.slug: tenant.name for tenant in page.tenants}
    filters = page.filters
    lines, pending = overlaid(page)
    query = query_for(filters)
    return {
        "page": page,
        "lines": lines,
        "version": page.version + pending,
        "row_query": f"?{query}" if query else "",
        "chips": chips_for(filters, names),
        "clear_url": address_for(Filters()),
        "newest_url": "" if page.is_first else address_for(filters),
        "older_url": address_for(filters, after=page.older) if page.older else "",
        "rows_url": address_for(filters, "incidents:queue_rows", version=page.version + pending)
        if page.is_first
        else "",
        "poll_seconds": POLL_SECONDS,
        "severities": [
            (key, severity.label, page.open_by_severity[key], address_for(Filters(filters.tenants, (key,))))
            for key, severity in SEVERITIES.items()
        ],
        "searched": SEARCHED if filters.words and not page.older else 0,
        "summary": _summary(page),
    }


def _bar(page: QueuePage) -> dict[str, Any]:
    filters = page.filters
    names = assignees_for(page.tenants)
    if filters.assignee and filters.assignee != NOBODY and filters.assignee not in names:
        names.append(filters.assignee)
    return {
        "tenant_choices": [
            (tenant, tenant.slug in filters.tenants, page.open_by_tenant[tenant.slug]) for tenant in page.tenants
        ],
        "severity_choices": [(key, s.label, key in filters.severities) for key, s in SEVERITIES.items()],
        "status_choices": STATUSES.items(),
        "assignees": names,
        "nobody": NOBODY,
        "has_long_list": len(page.tenants) > LONG_LIST,
    }


def _summary(page: QueuePage) -> str:
    count = len(page.rows)
    what = "1 incident" if count == 1 else f"{count} incidents"
    if page.is_first and not page.older:
        return f"{what}, newest first. That is all of them."
    return f"{what}, newest first."
