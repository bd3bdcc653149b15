"""Every address that the portal answers, read from Django's own table of them, and how to write one down."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver

_PLACE = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^()]*\)")


@dataclass(frozen=True, slots=True)
class Route:
    """One pattern: its name where it has one, else the pattern itself; and its whole pattern."""

    name: str
    pattern: str

    @property
    def places(self) -> tuple[str, ...]:
        """Names of what stands in the pattern's places."""
        return tuple(plain or regular for plain, regular in _PLACE.findall(self.pattern))

    def address(self, values: Mapping[str, str]) -> str:
        """The path with ``values`` in the places."""
        filled = _PLACE.sub(lambda found: values[found[1] or found[2]], self.pattern)
        return "/" + filled.replace("^", "").replace("$", "")


def routes() -> list[Route]:
    """All of them, the administration's among them."""
    return list(_below(get_resolver(), "", ()))


def _below(resolver: URLResolver, prefix: str, names: tuple[str, ...]) -> Iterator[Route]:
    for entry in resolver.url_patterns:
        pattern = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from _below(entry, pattern, (*names, entry.namespace) if entry.namespace else names)
        elif isinstance(entry, URLPattern):
            yield Route(":".join([*names, entry.name]) if entry.name else pattern, pattern)
