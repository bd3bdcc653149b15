"""Whether each tenant is read once a poll, whoever wakes the workers: two beats ask for no more than one."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs


def crowded(
    calls: Iterable[Mapping[str, Any]], *, seconds: float, poll: float, aside: Collection[str] = ()
) -> list[str]:
    """Tenants whose list was begun more often in so many quiet seconds than their polls explain.

    ``calls`` are the stand-in's. Pages that are followed count to the pass they belong to. ``aside`` are tenants with
    other reasons to be asked, such as a check of their consent.
    """
    begun = Counter(str(call["tenant_id"]) for call in calls if _begins(call))
    allowed = int(seconds // poll) + 1
    return [
        f"{tenant}: {count} passes in {seconds:.0f} s"
        for tenant, count in sorted(begun.items())
        if count > allowed and tenant not in aside
    ]


def _begins(call: Mapping[str, Any]) -> bool:
    return call["operation"] == "list" and parse_qs(str(call["query"])).get("$skip", ["0"]) == ["0"]
