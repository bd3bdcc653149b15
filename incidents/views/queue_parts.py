"""What the queue's templates are given: the live part, and the bar of filters and menus around it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from accounts.models import User
from defender.vocabulary import CLASSIFICATIONS, SERVICES
from incidents.assignees import addresses_for
from incidents.columns import COLUMNS, USUAL
from incidents.facets import Choice, Counts, Facet
from incidents.filters import (
    AGES,
    CLOCKS,
    ME,
    NOBODY,
    SEVERITIES,
    STATUSES,
    Filters,
    address_for,
    age_word,
    chips_for,
    has_too_many_tenants,
    query_for,
)
from incidents.labels import with_labels
from incidents.models import SavedView
from incidents.queue import ELSEWHERE, PAGE, SEARCHED, QueuePage, assignees_for
from incidents.row_texts import texts_of
from incidents.saved_views import Preference, may_change, views_for
from incidents.tenant_choices import choices_for
from tenants.groups import groups_for

POLL_SECONDS = 5
MARKED = 5  # ours: tenants in trouble that are named above the rows; the panel has all


def live(page: QueuePage, preference: Preference) -> dict[str, Any]:
    """Rows, counts and chips: what is brought up to date by itself."""
    filters, columns = page.filters, preference.columns
    query = query_for(filters)
    marked = [tenant for tenant in page.chosen if tenant.mark]
    return {
        "page": page,
        "rows": texts_of(with_labels(page.rows, columns), columns, query),
        "show": {name: name in columns for name in COLUMNS} | {"seldom": columns.has_seldom},
        "is_wide": columns.is_many,
        "query": query,
        "chips": chips_for(filters, {tenant.slug: tenant.name for tenant in page.tenants}),
        "clear_url": _clear_url(preference),
        "newest_url": "" if page.is_first else address_for(filters),
        "older_url": address_for(filters, after=page.older) if page.older else "",
        "rows_url": address_for(filters, "incidents:queue_rows", version=page.version) if page.is_first else "",
        "poll_seconds": POLL_SECONDS,
        "csv_url": address_for(filters, "incidents:export", format="csv"),
        "jsonl_url": address_for(filters, "incidents:export", format="jsonl"),
        "severities": [
            (key, severity.label, page.open_by_severity[key], _url_of(filters, severities=(key,)))
            for key, severity in SEVERITIES.items()
        ],
        "nobody_count": page.counts.unassigned,
        "nobody_url": address_for(replace(filters, assignee=NOBODY)),
        "is_countable": filters == _countable(filters),
        "marked": marked[:MARKED],
        "marked_more": len(marked) - MARKED,
        "search": _search(page),
        "summary": _summary(page),
    }


def bar(
    user: User, page: QueuePage, preference: Preference, query: QueryDict, view: SavedView | None = None
) -> dict[str, Any]:
    """The filter bar and the menus, which stay as they are until the page is loaded again."""
    filters = page.filters
    return {
        "tenant_choices": page.tenants and choices_for(page.tenants, filters.tenants, counts=page.counts.by_tenant),
        "severity_choices": [(key, s.label, key in filters.severities) for key, s in SEVERITIES.items()],
        "status_choices": STATUSES.items(),
        "assignee_choices": _assignees(page),
        "group_choices": list(groups_for(user)),
        "classification_choices": _with_own(CLASSIFICATIONS.items(), filters.classification),
        "service_choices": _with_own(_products(), filters.service),
        "age_choices": {name: _with_own(AGES.items(), getattr(filters, name)) for name in ("newer", "older")},
        "clock_choices": CLOCKS.items(),
        "more_count": sum(
            bool(getattr(filters, name))
            for name in ("group", "classification", "service", "technique", "tag", "newer", "older")
        ),
        "has_too_many_tenants": has_too_many_tenants(query),
        "is_nameless": filters.assignee == ME and not addresses_for(user, [tenant.id for tenant in page.chosen]),
        "view": view,
        "is_default": view is not None and view == preference.default,
        "may_change_view": view is not None and may_change(user, view),
        "views": views_for(user),
        "column_choices": [(name, word, name in preference.columns) for name, word in COLUMNS.items()],
        "usual_columns": USUAL,
    }


def exact_facets(filters: Filters, counts: Counts) -> list[Facet]:
    """Status, severity and nobody, from the roll-up."""
    statuses = [_choice(filters, word, counts.by_status[key], status=key) for key, word in STATUSES.items()]
    severities = [
        _choice(filters, severity.label, counts.by_severity[key], severities=(key,))
        for key, severity in SEVERITIES.items()
    ]
    nobody = [_choice(filters, "Nobody", counts.unassigned, assignee=NOBODY)]
    return [
        Facet("status", "Status", statuses, 0),
        Facet("severity", "Severity", severities, 0),
        Facet("assignee", "Unassigned", nobody, 0),
    ]


def _choice(filters: Filters, word: str, n: int, **wanted: Any) -> Choice:
    return Choice("", word, f"{n:,}", replace(_countable(filters), **wanted))


def _countable(filters: Filters) -> Filters:
    """The part of the filters that the roll-up knows: a link beside one of its counts leads to as many rows."""
    return Filters(
        tenants=filters.tenants,
        severities=filters.severities,
        status=filters.status,
        assignee=filters.assignee if filters.assignee == NOBODY else "",
        group=filters.group,
    )


def _url_of(filters: Filters, **wanted: Any) -> str:
    return address_for(replace(Filters(tenants=filters.tenants, group=filters.group), **wanted))


def _clear_url(preference: Preference) -> str:
    return reverse("incidents:queue") + ("?status=open" if preference.default else "")


def _search(page: QueuePage) -> dict[str, Any]:
    """What the page says of the search box and of how far it looked."""
    filters = page.filters
    is_bounded = not page.exactly and (filters.words or filters.is_deep)
    return {
        "sentence": filters.asked.sentence,
        "exactly": page.exactly,
        "closed": _capped(page.closed),
        "closed_url": address_for(replace(filters, status="all")) if page.closed else "",
        "merged": _capped(page.merged),
        "merged_url": address_for(replace(filters, status="merged")) if page.merged else "",
        "within": SEARCHED if is_bounded and not page.older else 0,
    }


def _capped(n: int) -> str:
    return f"{ELSEWHERE:,}+" if n >= ELSEWHERE else f"{n:,}"


def _assignees(page: QueuePage) -> list[tuple[str, str]]:
    names = assignees_for(page.tenants)
    own = page.filters.assignee
    if own and own not in {NOBODY, ME, *names}:
        names.append(own)
    return [("", "Anyone"), (ME, "Me"), (NOBODY, "Nobody"), *((name, name) for name in names)]


def _products() -> list[tuple[str, str]]:
    """One of Microsoft's words for each product."""
    seen: dict[str, str] = {}
    for word, name in SERVICES.items():
        seen.setdefault(name, word)
    return sorted(((word, name) for name, word in seen.items()), key=lambda pair: pair[1])


def _with_own(pairs: Any, chosen: str) -> Sequence[tuple[str, str]]:
    """The choices, and what an address has chosen beside them."""
    known = list(pairs)
    if chosen and chosen not in {value for value, _ in known}:
        known.append((chosen, age_word(chosen) if chosen[:-1].isdigit() else chosen))
    return known


def _summary(page: QueuePage) -> str:
    count = len(page.rows)
    what = "1 incident" if count == 1 else f"{count} incidents"
    if page.is_first and not page.older:
        return f"{what}, newest first. That is all of them."
    return f"{what}, newest first." if count <= PAGE else what
