"""The audit log's page and its download, for staff. They stand here because the log itself knows no people."""

from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts import step_up
from accounts.actor import actor_for
from accounts.models import User
from accounts.roles import Permission, staff_allows
from accounts.transactions import opens_own_scope
from audit.forms import SearchForm
from audit.record import Event, record
from audit.search import Page, lines_of, page_of


@require_safe
def events(request: HttpRequest) -> HttpResponse:
    """Who did what, newest first."""
    _staff_only(request)
    form = SearchForm(request.GET)
    is_valid = form.is_valid()
    page = page_of(form.search(), before=_whole(request.GET.get("before", ""))) if is_valid else Page([], None)
    asked = _asked(request)
    context = {
        "form": form,
        "page": page,
        "is_narrow": bool(asked),
        "is_valid": is_valid,
        "newest_url": _address("audit:events", asked) if "before" in request.GET else "",
        "older_url": _address("audit:events", {**asked, "before": str(page.older)}) if page.older else "",
        "download_url": _address("audit:download", asked),
        "summary": f"{len(page.rows)} event{'' if len(page.rows) == 1 else 's'}, newest first.",
    }
    return render(request, "audit/events.html", context, status=200 if is_valid else 400)


@require_safe
@opens_own_scope
def download(request: HttpRequest) -> HttpResponseBase:
    """The same rows as JSON Lines, all pages of them, oldest first. Recorded before the first byte is sent.

    It may be the whole log, so it asks for a fresh sign-in. Rows are sent after the view has ended, in a transaction of
    their own; no tenant-owned row is among them.
    """
    _staff_only(request)
    if not step_up.is_fresh(request):
        return step_up.ask(request)
    form = SearchForm(request.GET)
    if not form.is_valid():
        return HttpResponse("These filters cannot be read.\n", status=400, content_type="text/plain")
    search = form.search()
    record(Event(by=actor_for(request), action="export audit log", tenant=search.tenant, details=_asked(request)))
    response = StreamingHttpResponse(lines_of(search), content_type="application/x-ndjson")
    response.headers["Content-Disposition"] = f'attachment; filename="audit-{timezone.now():%Y%m%dT%H%M%SZ}.jsonl"'
    return response


def _staff_only(request: HttpRequest) -> None:
    user = request.user
    if not (isinstance(user, User) and user.is_active and user.is_staff and staff_allows(Permission.READ_AUDIT)):
        raise PermissionDenied("The audit log is for staff.")


def _asked(request: HttpRequest) -> dict[str, str]:
    return {name: value for name in SearchForm.base_fields if (value := request.GET.get(name, "").strip())}


def _address(name: str, asked: dict[str, Any]) -> str:
    return reverse(name) + (f"?{urlencode(asked)}" if asked else "")


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
