"""The operations of the API, but for decisions: see ``api.decisions``."""

from django.http import Http404, HttpResponse, HttpResponseBase

from accounts.roles import Permission
from api import export, feed, full, health, openapi, schema
from api.cursor import seal, unseal
from api.models import Verb
from api.operations import JSON, Call, operation, resource
from api.reading import note_list
from incidents.access import access_incident
from incidents.freshness import TenantFreshness, tenants_for
from incidents.reading import note_read


@operation(
    verb=Verb.READ_INCIDENTS,
    summary="Incidents in the order in which they changed",
    query=schema.IncidentsQuery,
    answer=schema.IncidentPage,
)
def list_incidents(call: Call) -> schema.IncidentPage:
    """One page; the cursor leads on."""
    asked: schema.IncidentsQuery = call.query
    tenants = [tenant.id for tenant in chosen(call, asked.tenant)]
    question = " ".join(sorted(asked.tenant))
    place = (
        unseal(asked.cursor, owner=call.user.pk, question=question)
        if asked.cursor
        else feed.begin(tenants, asked.updated_since)
    )
    found, place, has_more = feed.changes(tenants, place, asked.limit)
    note_list(call.token, by=call.by, now=call.now)
    return schema.IncidentPage(
        incidents=found, cursor=seal(place, owner=call.user.pk, question=question), has_more=has_more
    )


@operation(
    verb=Verb.READ_INCIDENTS,
    summary="One incident with all that belongs to it",
    query=schema.IncidentQuery,
    answer=schema.FullIncident,
)
def read_incident(call: Call, tenant: str, number: int) -> schema.FullIncident:
    """Noted in the audit log, as the page is."""
    found = access_incident(call.user, tenant, number, to=Permission.READ_INCIDENTS)
    answer = full.incident(found, with_raw="raw" in call.query.include)
    note_read(found, by=call.by, now=call.now)
    return answer


@operation(
    verb=Verb.READ_INCIDENTS,
    summary="Incidents as a file, newest first",
    query=schema.ExportQuery,
    answer=None,
    media=("application/x-ndjson", "text/csv"),
    own_scope=True,
)
def export_incidents(call: Call) -> HttpResponseBase:
    """Streamed; rows end where rights end."""
    return export.answer(call)


@operation(verb=Verb.READ_HEALTH, summary="How the tenants stand", query=schema.NoQuery, answer=schema.Health)
def read_health(call: Call) -> schema.Health:
    """All tenants of the token at once."""
    _ = call.query
    return health.health(call.user, call.now)


@operation(verb=None, summary="This description", query=schema.NoQuery, answer=dict)
def describe(call: Call) -> HttpResponse:
    """Any token that holds may read it."""
    _ = call.query
    return HttpResponse(openapi.text(), content_type=JSON)


def chosen(call: Call, slugs: list[str]) -> list[TenantFreshness]:
    """The tenants asked for, all where none is named. One that the token is not for is as unknown as none."""
    mine = tenants_for(call.user, call.now)
    if unknown := set(slugs) - {tenant.slug for tenant in mine}:
        raise Http404(f"{len(unknown)} unknown")
    return [tenant for tenant in mine if tenant.slug in slugs] if slugs else mine


incidents = resource(GET=list_incidents)
incident = resource(GET=read_incident)
exported = resource(GET=export_incidents)
tenants = resource(GET=read_health)
description = resource(GET=describe)
