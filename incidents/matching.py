"""Everything that a queue's filters find, as targets of a change: what one would otherwise select page by page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.http import QueryDict
from django.utils import timezone

from accounts.models import User
from incidents.decisions import MOST_TARGETS, Target
from incidents.filters import read_filters
from incidents.freshness import tenants_for
from incidents.queue import bounds, chosen_tenants, is_found_exactly, resolved
from incidents.queue_statements import held_keys, keys_statement
from incidents.selecting import select

_PLACES: Final = """
SELECT i.tenant_id, i.number FROM incidents_incident i
WHERE i.tenant_id = ANY(%(tenants)s::bigint[]) AND i.id = ANY(ARRAY({keys}))
ORDER BY i.updated_at DESC, i.id DESC
"""


@dataclass(frozen=True, slots=True)
class Matching:
    """At most MOST_TARGETS targets, newest first; ``has_more`` where others match too."""

    targets: Sequence[Target]
    has_more: bool


def matching(user: User, query: str) -> Matching:
    """What the queue at this query string lists now, all of its pages. Nothing of it was seen by anybody yet."""
    filters = read_filters(QueryDict(query[:4_000]))
    chosen, _ = chosen_tenants(user, filters, tenants_for(user, timezone.now()))
    if not chosen:
        return Matching((), has_more=False)
    asked, slugs = resolved(user, filters, chosen), {tenant.id: tenant.slug for tenant in chosen}
    parameters: dict[str, Any] = {"tenants": list(slugs), "limit": MOST_TARGETS + 1, **bounds()}
    keys = (held_keys if is_found_exactly(asked, list(slugs)) else keys_statement)(asked, None, parameters)
    found = select(_PLACES.format(keys=keys), parameters)
    targets = [Target(slugs[tenant], number) for tenant, number in found[:MOST_TARGETS]]
    return Matching(targets, has_more=len(found) > MOST_TARGETS)
