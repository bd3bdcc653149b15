"""Which incident comes next: the one below in the queue that the person came from, or its first."""

from __future__ import annotations

from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from incidents.cursor import Place, seal, unseal
from incidents.filters import Filters, query_for, read_filters
from incidents.freshness import tenants_for
from incidents.models import Incident
from incidents.queue import chosen_tenants, find_rows, resolved


def following_url(user: User, incident: Incident, filters: Filters) -> str:
    """The address that leads on from an incident's page. It holds the incident's place in the queue as it is now, so
    that a change, which moves the incident to the top, does not move the person there too."""
    place = seal((incident.updated_at, incident.pk), user_id=user.pk, query=query_for(filters))
    return f"{reverse('incidents:next_incident')}?{query_for(filters, after=place)}"


def following(user: User, query: QueryDict) -> str:
    """The address of the next incident; of the queue where there is none but this one."""
    filters = read_filters(query)
    asked = query_for(filters)
    here = unseal(query.get("after", ""), user_id=user.pk, query=asked)
    tenants, _ = chosen_tenants(user, filters, tenants_for(user, timezone.now()))
    slugs = {tenant.id: tenant.slug for tenant in tenants}
    for start in (here, None) if here else (None,):
        if found := _first(resolved(user, filters, tenants), slugs, start, here):
            return reverse("incidents:incident", args=found) + (f"?{asked}" if asked else "")
    return reverse("incidents:queue")


def _first(filters: Filters, slugs: dict[int, str], start: Place | None, here: Place | None) -> tuple[str, int] | None:
    """(slug, number) of the first row from ``start`` on that is not the one the person comes from."""
    if not slugs:
        return None
    rows = find_rows(filters, list(slugs), start)
    return next(((slugs[row[1]], int(row[2])) for row in rows if here is None or row[0] != here[1]), None)
