"""What an analyst asks of the queue, as it stands in the address: every filter can be shared as a link.

Nothing in the address is an error. Words that mean nothing are left aside; a tenant that does not exist and one that
the person may not see are the same to this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from defender.cleaning import searchable
from incidents.date_filters import NAMES, Dates, pairs_of, read_dates
from incidents.models import Severity, Status

SEVERITIES: Mapping[str, Severity] = {
    severity.name.lower(): severity for severity in sorted(Severity, key=lambda severity: -severity.value)
}
# "open" and "all" leave merged shells out; they are aliases of incidents that are in the list themselves.
STATUSES: Mapping[str, str] = {
    "open": "Open",
    "active": "Active",
    "in-progress": "In progress",
    "other": "Other",
    "resolved": "Resolved",
    "merged": "Merged",
    "all": "All but merged",
}
STATUS_OF: Mapping[str, Status] = {
    "active": Status.ACTIVE,
    "in-progress": Status.IN_PROGRESS,
    "other": Status.OTHER,
    "resolved": Status.RESOLVED,
    "merged": Status.REDIRECTED,
}
KEY_OF_STATUS: Mapping[int, str] = {status.value: key for key, status in STATUS_OF.items()}
NOBODY = "nobody"
# Limits of ours on what an address may ask for.
MAX_WORDS = 8
MAX_TEXT = 200
MAX_TENANTS = 200


@dataclass(frozen=True, slots=True)
class Filters:
    """``tenants`` are slugs, ``group`` a tenant group's name, ``severities`` keys of SEVERITIES, ``assignee`` blank,
    NOBODY or a name, ``dates`` days by their names in incidents.date_filters.
    """

    tenants: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    status: str = "open"
    assignee: str = ""
    text: str = ""
    group: str = ""
    dates: Dates = ()

    @property
    def words(self) -> tuple[str, ...]:
        """What must all be found, in the spelling of the search text."""
        return tuple(dict.fromkeys(searchable(self.text).split()))[:MAX_WORDS]

    @property
    def is_narrow(self) -> bool:
        """Whether anything differs from the queue as it opens."""
        return self != Filters()


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in force, and the address without it."""

    text: str
    url: str


def read_filters(query: QueryDict) -> Filters:
    """The filters in an address."""
    status = query.get("status", "open")
    return Filters(
        tenants=tuple(dict.fromkeys(slug[:80] for slug in query.getlist("tenant") if slug))[:MAX_TENANTS],
        severities=tuple(key for key in SEVERITIES if key in query.getlist("severity")),
        status=status if status in STATUSES else "open",
        assignee=query.get("assignee", "")[:MAX_TEXT].replace("\x00", ""),
        text=query.get("q", "")[:MAX_TEXT].replace("\x00", "").strip(),
        group=query.get("group", "")[:MAX_TEXT].replace("\x00", ""),
        dates=read_dates(query),
    )


def query_for(filters: Filters, **more: str) -> str:
    """The query part of the address, with nothing in it that goes without saying."""
    pairs = [("tenant", slug) for slug in filters.tenants] + [("severity", key) for key in filters.severities]
    if filters.status != "open":
        pairs.append(("status", filters.status))
    pairs += [(name, value) for name, value in (("assignee", filters.assignee), ("q", filters.text)) if value]
    pairs += [("group", filters.group)] if filters.group else []
    pairs += pairs_of(filters.dates)
    return urlencode(pairs + [(name, value) for name, value in more.items() if value])


def address_for(filters: Filters, view: str = "incidents:queue", **more: str) -> str:
    """The address of the queue with these filters."""
    query = query_for(filters, **more)
    return reverse(view) + (f"?{query}" if query else "")


def chips_for(filters: Filters, tenant_names: Mapping[str, str]) -> list[Chip]:
    """One chip per filter in force. A slug that is not among the person's tenants is shown as it was typed."""
    found = [
        Chip(f"Tenant: {tenant_names.get(slug, slug)}", address_for(replace(filters, tenants=_without(filters, slug))))
        for slug in filters.tenants
    ]
    for key in filters.severities:
        rest = tuple(other for other in filters.severities if other != key)
        found.append(Chip(f"Severity: {SEVERITIES[key].label}", address_for(replace(filters, severities=rest))))
    if filters.status != "open":
        found.append(Chip(f"Status: {STATUSES[filters.status]}", address_for(replace(filters, status="open"))))
    if filters.assignee:
        found.append(Chip(f"Assigned to: {filters.assignee}", address_for(replace(filters, assignee=""))))
    if filters.text:
        found.append(Chip(f"Words: {filters.text}", address_for(replace(filters, text=""))))
    if filters.group:
        found.append(Chip(f"Tenant group: {filters.group}", address_for(replace(filters, group=""))))
    for name, day in filters.dates:
        others = tuple(other for other in filters.dates if other[0] != name)
        found.append(Chip(f"{NAMES[name]}: {day.isoformat()}", address_for(replace(filters, dates=others))))
    return found


def _without(filters: Filters, slug: str) -> tuple[str, ...]:
    return tuple(other for other in filters.tenants if other != slug)
