"""What an analyst asks of the queue, as it stands in the address: every filter can be shared as a link.

Nothing in the address is an error. Words that mean nothing are left aside; a tenant that does not exist and one that
the person may not see are the same to this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from defender.vocabulary import CLASSIFICATIONS, SERVICES
from incidents.models import Severity, Status
from incidents.search_box import Asked, all_words, understood

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
ME = "me"
# Stands for what a shared view names and the person may not know of. No slug and no group is called so.
UNAVAILABLE = "~"
CLOCKS: Mapping[str, str] = {"updated": "Last update", "created": "Created"}
AGES: Mapping[str, str] = {
    "1h": "1 hour",
    "4h": "4 hours",
    "24h": "24 hours",
    "3d": "3 days",
    "7d": "7 days",
    "30d": "30 days",
    "90d": "90 days",
}
_AGE = re.compile(r"([1-9]\d{0,3})([hd])")
# Limits of ours on what an address may ask for.
MAX_TEXT = 200
MAX_TENANTS = 200


@dataclass(frozen=True, slots=True)
class Filters:
    """``tenants`` are slugs, ``group`` a tenant group's name, ``severities`` keys of SEVERITIES, ``assignee`` blank,
    ME, NOBODY or a name, ``classification`` and ``service`` Microsoft's words, ``newer`` and ``older`` ages such as
    ``24h`` or ``7d`` by ``clock``, one of CLOCKS.

    ``mine`` are the names that ME stands for. It is filled in by the queue and never stands in an address.
    """

    tenants: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    status: str = "open"
    assignee: str = ""
    text: str = ""
    group: str = ""
    classification: str = ""
    service: str = ""
    technique: str = ""
    tag: str = ""
    newer: str = ""
    older: str = ""
    clock: str = "updated"
    mine: tuple[str, ...] = field(default=(), compare=False)

    @property
    def asked(self) -> Asked:
        """The search box, as it was understood."""
        return understood(self.text)

    @property
    def words(self) -> tuple[str, ...]:
        """What must all be found where nothing is looked up exactly, in the spelling of the search text."""
        return all_words(self.text)

    @property
    def is_narrow(self) -> bool:
        """Whether anything differs from the queue as it opens."""
        return self != Filters()

    @property
    def is_deep(self) -> bool:
        """Whether something is asked that stands beside the incident's own row."""
        return bool(self.service or self.technique or self.tag)


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter in force, and the address without it."""

    text: str
    url: str


# Filters that are one text each, by the name they have in the address, with the words of their chip.
SINGLE: Mapping[str, str] = {
    "assignee": "Assigned to",
    "q": "Search",
    "group": "Tenant group",
    "classification": "Classification",
    "service": "Source",
    "technique": "Technique",
    "tag": "Tag",
    "newer": "Younger than",
    "older": "Older than",
}


def read_filters(query: QueryDict) -> Filters:
    """The filters in an address."""
    status, clock = query.get("status", "open"), query.get("clock", "updated")
    single: dict[str, Any] = {
        _attribute(name): query.get(name, "")[:MAX_TEXT].replace("\x00", "").strip() for name in SINGLE
    }
    single |= {name: single[name] if duration(single[name]) else "" for name in ("newer", "older")}
    return Filters(
        tenants=tuple(dict.fromkeys(slug[:80] for slug in query.getlist("tenant") if slug))[:MAX_TENANTS],
        severities=tuple(key for key in SEVERITIES if key in query.getlist("severity")),
        status=status if status in STATUSES else "open",
        clock=clock if clock in CLOCKS and (single["newer"] or single["older"]) else "updated",
        **single,
    )


def has_too_many_tenants(query: QueryDict) -> bool:
    """Whether the address names more tenants than count."""
    return len(set(query.getlist("tenant"))) > MAX_TENANTS


def duration(age: str) -> timedelta | None:
    """``24h`` or ``7d`` as a length of time; None for anything else."""
    found = _AGE.fullmatch(age)
    return timedelta(hours=int(found[1]) * (1 if found[2] == "h" else 24)) if found else None


def age_word(age: str) -> str:
    """An age for people."""
    return AGES.get(age) or (f"{age[:-1]} hours" if age.endswith("h") else f"{age[:-1]} days")


def query_for(filters: Filters, **more: str) -> str:
    """The query part of the address, with nothing in it that goes without saying."""
    pairs = [("tenant", slug) for slug in filters.tenants] + [("severity", key) for key in filters.severities]
    if filters.status != "open":
        pairs.append(("status", filters.status))
    pairs += [(name, value) for name in SINGLE if (value := getattr(filters, _attribute(name)))]
    if filters.clock != "updated":
        pairs.append(("clock", filters.clock))
    return urlencode(pairs + [(name, value) for name, value in more.items() if value])


def address_for(filters: Filters, view: str = "incidents:queue", **more: str) -> str:
    """The address of the queue with these filters."""
    query = query_for(filters, **more)
    return reverse(view) + (f"?{query}" if query else "")


def chips_for(filters: Filters, tenant_names: Mapping[str, str], **more: str) -> list[Chip]:
    """One chip per filter in force. A slug that is not among the person's tenants is shown as it was typed."""
    return [Chip(text, address_for(without, **more)) for text, without in _in_force(filters, tenant_names)]


def _in_force(filters: Filters, tenant_names: Mapping[str, str]) -> Iterator[tuple[str, Filters]]:
    for slug in filters.tenants:
        name = "not available to you" if slug == UNAVAILABLE else tenant_names.get(slug, slug)
        yield f"Tenant: {name}", replace(filters, tenants=tuple(other for other in filters.tenants if other != slug))
    for key in filters.severities:
        rest = tuple(other for other in filters.severities if other != key)
        yield f"Severity: {SEVERITIES[key].label}", replace(filters, severities=rest)
    if filters.status != "open":
        yield f"Status: {STATUSES[filters.status]}", replace(filters, status="open")
    for name, words in SINGLE.items():
        if value := getattr(filters, _attribute(name)):
            yield f"{words}: {_said(filters, name, value)}", with_value(filters, _attribute(name), "")


def with_value(filters: Filters, attribute: str, value: str) -> Filters:
    """The filters with another value of one that is a text."""
    wanted: dict[str, Any] = {attribute: value}
    return replace(filters, **wanted)


def _said(filters: Filters, name: str, value: str) -> str:
    if name in {"newer", "older"}:
        return f"{age_word(value)} ({CLOCKS[filters.clock].lower()})"
    if name == "group" and value == UNAVAILABLE:
        return "not available to you"
    known = {"assignee": {ME: "me"}, "classification": CLASSIFICATIONS, "service": SERVICES}
    return known.get(name, {}).get(value, value)


def _attribute(name: str) -> str:
    return "text" if name == "q" else name
