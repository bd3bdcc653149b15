"""One incident: its page, and the parts that are fetched when somebody asks for them."""

import json
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.actor import actor_for
from accounts.roles import Permission
from incidents.access import access_incident, signed_in
from incidents.evidence_tables import evidence_tables
from incidents.filters import read_filters
from incidents.following import following_url
from incidents.freshness import tenant_freshness
from incidents.history import ALL as ALL_CHANGES
from incidents.history import history_of
from incidents.models import Incident, IncidentRaw
from incidents.overlay import comment_lines
from incidents.page import ALL_ALERTS, FIRST_ALERTS, alert_lines, has_alert, incident_page
from incidents.reading import note_read
from incidents.sightings import sightings as sightings_of
from incidents.story import ALL as ALL_MOMENTS
from incidents.story import FIRST as FIRST_MOMENTS
from incidents.story import story_of
from incidents.views.triage import strip_context

# Ours: characters of raw JSON on a page, and bytes up to which it is laid out for reading.
RAW_SHOWN = 200_000
RAW_PRETTY = 1_000_000
POLL_SECONDS = 10


@require_safe
def incident(request: HttpRequest, tenant: str, number: int) -> HttpResponse:
    """The page."""
    found = _readable(request, tenant, number)
    page = incident_page(found)
    context = {
        "page": page,
        "incident": found,
        "comments": comment_lines(found, page.comments),
        **strip_context(request, found),
        "next_url": following_url(signed_in(request), found, read_filters(request.GET)),
        "freshness": tenant_freshness(found.tenant, timezone.now()),
        "shows_link": bool(page.link) and not settings.IS_SANDBOX,
        "sections": _sections(page),
        "version": _version(found),
        "poll_seconds": POLL_SECONDS,
    }
    return _shown(request, found, "incidents/incident.html", context)


@require_safe
def alerts(request: HttpRequest, tenant: str, number: int) -> HttpResponse:
    """The alerts that the page left out."""
    found = _readable(request, tenant, number)
    lines = alert_lines(found, FIRST_ALERTS, ALL_ALERTS)
    return _shown(request, found, "incidents/_alerts.html", {"incident": found, "lines": lines})


@require_safe
def story(request: HttpRequest, tenant: str, number: int) -> HttpResponse:
    """The moments that the page left out."""
    found = _readable(request, tenant, number)
    context = {"story": story_of(found, first=FIRST_MOMENTS, last=ALL_MOMENTS), "is_all": True}
    return _shown(request, found, "incidents/_story.html", context)


@require_safe
def evidence(request: HttpRequest, tenant: str, number: int) -> HttpResponse:
    """All rows of one kind of evidence, the first of every kind of one alert, or all of one kind of that alert.

    404 for a kind or an alert that the incident does not have.
    """
    found = _readable(request, tenant, number)
    kind, alert = (_asked(request, name) for name in ("kind", "alert"))
    tables = evidence_tables(found, kind=kind, alert=alert)
    if (alert is None and kind is None) or (not tables and (kind is not None or not has_alert(found, alert or ""))):
        raise Http404
    context = {"incident": found, "alert": alert, "tables": tables, "is_all": True}
    if kind is None:
        return _shown(request, found, "incidents/_alert_evidence.html", context)
    return _shown(request, found, "incidents/_evidence.html", {**context, "table": tables[0]})


@require_safe
def sightings(request: HttpRequest, tenant: str, number: int) -> HttpResponse:
    """Related incidents of the tenant, and where its values were seen in others."""
    found = _readable(request, tenant, number)
    context = {"incident": found, "found": sightings_of(found, signed_in(request))}
    return _shown(request, found, "incidents/_sightings.html", context)


@require_safe
def history(request: HttpRequest, tenant: str, number: int) -> HttpResponse:
    """Every change of our copy, up to a bound."""
    found = _readable(request, tenant, number)
    lines, more = history_of(found, most=ALL_CHANGES)
    context = {"incident": found, "lines": lines, "more": more, "is_all": True}
    return _shown(request, found, "incidents/_history.html", context)


@require_safe
def raw(request: HttpRequest, tenant: str, number: int) -> HttpResponse:
    """What Microsoft sent, laid out for reading up to a size."""
    found = _readable(request, tenant, number)
    kept = IncidentRaw.objects.filter(tenant_id=found.tenant_id, incident=found).first()
    body = bytes(kept.body) if kept else b""
    context = {"text": _laid_out(body), "size": len(body), "most": RAW_SHOWN}
    return _shown(request, found, "incidents/_raw.html", context)


@require_safe
def changes(request: HttpRequest, tenant: str, number: int) -> HttpResponse:
    """204 while the page in the browser is current, else a note; the page is never swapped under its reader."""
    found = _readable(request, tenant, number)
    if request.GET.get("version") == _version(found):
        return HttpResponse(status=204)
    return render(request, "incidents/_changed.html", {"incident": found})


def _asked(request: HttpRequest, name: str) -> str | None:
    value = request.GET.get(name)
    return None if value is None else value.replace("\x00", "")


def _readable(request: HttpRequest, tenant: str, number: int) -> Incident:
    return access_incident(signed_in(request), tenant, number, to=Permission.READ_INCIDENTS)


def _shown(request: HttpRequest, found: Incident, template: str, context: dict[str, Any]) -> HttpResponse:
    """The answer, and a line in the audit log: at the end, since the log is locked from then until the commit."""
    response = render(request, template, context)
    note_read(found, by=actor_for(request), now=timezone.now())
    return response


def _version(found: Incident) -> str:
    return f"{found.changed_at.timestamp():.6f}"


def _sections(page: Any) -> list[dict[str, Any]]:
    return [
        {"id": "story", "title": "Story", "count": None},
        {"id": "alerts", "title": "Alerts", "count": page.alert_total},
        {"id": "evidence", "title": "Evidence", "count": page.evidence_total},
        {"id": "sightings", "title": "Related", "count": None},
        {"id": "techniques", "title": "Techniques", "count": len(page.techniques)},
        {"id": "comments", "title": "Comments", "count": len(page.comments)},
        {"id": "history", "title": "History", "count": None},
        {"id": "raw", "title": "As sent", "count": None},
    ]


def _laid_out(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    if len(body) > RAW_PRETTY:
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
