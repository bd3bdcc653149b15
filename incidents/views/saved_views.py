"""Keeping views of the queue, and how a person wants it. Each leads back to the queue with a sentence."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.actor import actor_for
from incidents import saved_views
from incidents.access import signed_in
from incidents.filters import address_for, read_filters


@require_POST
def save_view(request: HttpRequest) -> HttpResponse:
    """Keep the filters of the page under a name."""
    filters = read_filters(QueryDict(request.POST.get("query", "")[:20_000]))
    try:
        view = saved_views.save_view(
            user=signed_in(request),
            name=request.POST.get("name", ""),
            filters=filters,
            share="share" in request.POST,
            by=actor_for(request),
            now=timezone.now(),
        )
    except saved_views.BadView as sentence:
        messages.error(request, str(sentence))
        return redirect(address_for(filters))
    messages.success(request, "The view is saved. Its address stays when you change it.")
    return redirect(view)


@require_POST
def change_view(request: HttpRequest, view: UUID) -> HttpResponse:
    """Another name, shared or not, and with ``filters`` the filters of the page."""
    user = signed_in(request)
    kept = saved_views.access_view(user, view, to_change=True)
    query = QueryDict(request.POST.get("query", "")[:20_000])
    try:
        saved_views.change_view(
            user=user,
            view=kept,
            name=request.POST.get("name", ""),
            filters=read_filters(query) if "filters" in request.POST else None,
            share="share" in request.POST,
            by=actor_for(request),
            now=timezone.now(),
        )
    except saved_views.BadView as sentence:
        messages.error(request, str(sentence))
    else:
        messages.success(request, "The view is changed.")
    return redirect("incidents:saved_view", view)


@require_POST
def remove_view(request: HttpRequest, view: UUID) -> HttpResponse:
    """Remove a view; the filters of the page stay in the address it leads to."""
    kept = saved_views.access_view(signed_in(request), view, to_change=True)
    filters = saved_views.filters_of(kept)
    saved_views.remove_view(view=kept, by=actor_for(request), now=timezone.now())
    messages.success(request, "The view is removed. Its filters are still in the address of this page.")
    own = filters if kept.owner_id == signed_in(request).pk else read_filters(QueryDict("status=open"))
    return redirect(address_for(own, status="open") if own.status == "open" else address_for(own))


@require_POST
def default_view(request: HttpRequest, view: UUID) -> HttpResponse:
    """The queue opens with this view from now on, or, with ``off``, with what is open."""
    user = signed_in(request)
    kept = saved_views.access_view(user, view)
    wanted = None if "off" in request.POST else kept
    saved_views.make_default(user=user, view=wanted, by=actor_for(request), now=timezone.now())
    what = "this view" if wanted else "open incidents of all tenants"
    messages.success(request, f"Your queue opens with {what} from now on.")
    return redirect(kept)


@require_POST
def choose_columns(request: HttpRequest) -> HttpResponse:
    """The columns this person sees."""
    columns = request.POST.getlist("column")
    saved_views.choose_columns(user=signed_in(request), columns=columns, by=actor_for(request), now=timezone.now())
    filters = read_filters(QueryDict(request.POST.get("query", "")[:20_000]))
    return redirect(address_for(filters, status="open") if filters.status == "open" else address_for(filters))
