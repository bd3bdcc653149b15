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
from incidents.ground import tenants_of
from incidents.queue import SEARCHED, bounds, chosen_tenants, is_found_exactly, resolved
from incidents.queue_statements import held_keys, keys_statement
from incidents.selecting import select
from incidents.writing import write_access_of

# Ours: more than filters come to with as many tenants as they may name. Never cut: what fell off would be a condition.
LONGEST_QUERY: Final = 40_000
_PLACES: Final = """
SELECT i.tenant_id, i.number FROM incidents_incident i
WHERE i.tenant_id = ANY(%(tenants)s::bigint[]) AND i.id = ANY(ARRAY({keys}))
ORDER BY i.updated_at DESC, i.id DESC
"""


class TooLong(ValueError):
    """The filters are longer than any that this portal writes."""


@dataclass(frozen=True, slots=True)
class Matching:
    """At most MOST_TARGETS targets, newest first, in tenants that the person may change.

    ``more_than`` is their number where others match too; ``left_aside`` counts tenants that match and cannot be
    changed; ``within`` is how many incidents words, tags, techniques and sources were looked for in, 0 where in all.
    """

    targets: Sequence[Target] = ()
    more_than: int = 0
    left_aside: int = 0
    within: int = 0


def matching(user: User, query: str) -> Matching:
    """What the queue at this query string lists now, all of its pages. Nothing of it was seen by anybody yet.

    Raises TooLong.
    """
    if len(query) > LONGEST_QUERY:
        raise TooLong
    filters = read_filters(QueryDict(query))
    chosen, _ = chosen_tenants(user, filters, tenants_for(user, timezone.now()))
    slugs = _open_to(user, {tenant.id: tenant.slug for tenant in chosen})
    left_aside = len(chosen) - len(slugs)
    if not slugs:
        return Matching(left_aside=left_aside)
    asked, ids = resolved(user, filters, chosen), list(slugs)
    parameters: dict[str, Any] = {"tenants": ids, "limit": MOST_TARGETS + 1, **bounds()}
    # As the list decides it, over all of its tenants: else words would be looked for where the list shows exact values.
    exactly = is_found_exactly(asked, [tenant.id for tenant in chosen])
    found = select(_PLACES.format(keys=(held_keys if exactly else keys_statement)(asked, None, parameters)), parameters)
    targets = [Target(slugs[tenant], number) for tenant, number in found[:MOST_TARGETS]]
    more_than = len(targets) if len(found) > len(targets) else 0
    is_bounded = not exactly and bool(filters.words or filters.is_deep)
    return Matching(targets, more_than, left_aside, SEARCHED if is_bounded and not more_than else 0)


def _open_to(user: User, slugs: dict[int, str]) -> dict[int, str]:
    """Of these, the tenants in which the person may change incidents and that can be written to."""
    readable, triaged = tenants_of(user, slugs.values())
    access = write_access_of(tenant for tenant in readable.values() if tenant.pk in triaged)
    return {key: slug for key, slug in slugs.items() if key in access and access[key].is_open}
