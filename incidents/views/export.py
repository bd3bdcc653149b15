"""The queue as a file to take along."""

from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts import step_up
from accounts.actor import actor_for
from accounts.transactions import opens_own_scope
from audit.record import Event, record
from incidents.access import signed_in
from incidents.filters import Filters, query_for, read_filters
from incidents.queue_export import FORMATS, file_of, is_large


@require_GET
@opens_own_scope
def export(request: HttpRequest) -> HttpResponseBase:
    """The incidents that the queue's filters find, recorded before the first byte. Many of them want a fresh sign-in.

    Rows are read after the view has ended, piece by piece, each in a scope of its own: see ``incidents.queue_export``.
    """
    user, filters, form = signed_in(request), read_filters(request.GET), request.GET.get("format", "csv")
    if form not in FORMATS:
        raise BadRequest("No such form.")
    if not step_up.is_fresh(request) and is_large(user, filters):
        return step_up.ask(request)
    record(Event(by=actor_for(request), action="export incidents", details=said(filters, form)))
    return sent(file_of(user, filters, form), form)


def said(filters: Filters, form: str) -> dict[str, Any]:
    """What was asked for, for the audit log; words that were looked for are content and stay out of it."""
    return {"format": form, "filters": query_for(filters).partition("q=")[0][:500]}


def sent(lines: Any, form: str) -> StreamingHttpResponse:
    """The file as it is sent."""
    response = StreamingHttpResponse(lines, content_type=FORMATS[form])
    response.headers["Content-Disposition"] = f'attachment; filename="incidents-{timezone.now():%Y%m%dT%H%M%SZ}.{form}"'
    return response
