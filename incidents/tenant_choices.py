"""The queue's menu of tenants, for any number of them: those chosen, then those with most to do, found by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest

from incidents.facets import open_by_tenant
from incidents.freshness import TenantFreshness

# Ours. A list longer than LONG gets a box to search in and shows OFFERED at once.
LONG = 12
OFFERED = 30


@dataclass(frozen=True, slots=True)
class Choice:
    """One tenant of the menu, with its open incidents."""

    tenant: TenantFreshness
    is_chosen: bool
    open: int


@dataclass(frozen=True, slots=True)
class Choices:
    """``hidden`` tenants match as well and are not shown."""

    shown: Sequence[Choice]
    hidden: int
    is_long: bool


def choices_for(
    tenants: Sequence[TenantFreshness],
    chosen: Collection[str],
    words: str = "",
    counts: Mapping[str, int] | None = None,
) -> Choices:
    """The chosen ones whatever the words, then those whose name or slug has all words in it.

    One query, unless ``counts`` are known: slug → open incidents.
    """
    counts = open_by_tenant(tenants) if counts is None else counts
    wanted = words.casefold().split()
    first = [tenant for tenant in tenants if tenant.slug in chosen]
    rest = [tenant for tenant in tenants if tenant.slug not in chosen and _has(tenant, wanted)]
    is_long = len(tenants) > LONG
    offered = rest
    if is_long:
        offered = nsmallest(OFFERED, rest, key=lambda tenant: (-counts[tenant.slug], tenant.name.casefold()))
    shown = [Choice(tenant, tenant.slug in chosen, counts[tenant.slug]) for tenant in (*first, *offered)]
    return Choices(shown if is_long else _by_name(shown), len(rest) - len(offered), is_long)


def _has(tenant: TenantFreshness, wanted: Sequence[str]) -> bool:
    if not wanted:
        return True
    text = f"{tenant.name} {tenant.slug}".casefold()
    return all(word in text for word in wanted)


def _by_name(choices: Sequence[Choice]) -> Sequence[Choice]:
    return sorted(choices, key=lambda choice: choice.tenant.name.casefold())
