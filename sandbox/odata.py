"""The OData options that the incidents endpoint documents: $filter on four fields, $top up to 100, $skip."""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sandbox.casebook import Version
from sandbox.moments import ticks_of

# Microsoft Learn, "List incidents API": at most 100 incidents a page.
PAGE_LIMIT = 100
_OPERATORS: dict[str, Callable[[object, object], bool]] = {
    "eq": operator.eq,
    "ge": operator.ge,  # type: ignore[dict-item]
    "gt": operator.gt,  # type: ignore[dict-item]
    "le": operator.le,  # type: ignore[dict-item]
    "lt": operator.lt,  # type: ignore[dict-item]
}
_CLAUSE = re.compile(r"\s*(\w+)\s+(\w+)\s+('(?:[^']|'')*'|[^\s']+)\s*")
_MOMENTS = {"lastUpdateTime": "updated", "createdTime": "created"}
_TEXTS = {"status": "status", "assignedTo": "assigned_to"}
Condition = Callable[[Version], bool]


class ODataError(ValueError):
    """A query the service does not take; the text is what the caller is told."""


@dataclass(frozen=True)
class Query:
    """What a list call asks for."""

    conditions: tuple[Condition, ...] = ()
    top: int = PAGE_LIMIT
    skip: int = 0

    def page(self, versions: Sequence[Version]) -> tuple[Sequence[Version], bool]:
        """(the page, are there more behind it?) of versions that are already in order."""
        matching: Sequence[Version] = versions
        for condition in self.conditions:
            matching = [version for version in matching if condition(version)]
        end = self.skip + self.top
        return matching[self.skip : end], len(matching) > end


def parse(options: Iterable[tuple[str, str]]) -> Query:
    """A `Query` from the decoded query string; ODataError for anything the endpoint does not document."""
    found: dict[str, str] = {}
    for name, value in options:
        if name.startswith("$") and name not in ("$filter", "$top", "$skip"):
            raise ODataError(f"The query option '{name[:40]}' is not supported.")
        if name in found:
            raise ODataError(f"Query option '{name[:40]}' was specified more than once.")
        found[name] = value
    top, skip = _number("$top", found.get("$top", str(PAGE_LIMIT))), _number("$skip", found.get("$skip", "0"))
    if top > PAGE_LIMIT:
        raise ODataError(
            f"The limit of '{PAGE_LIMIT}' for Top query has been exceeded. The value asked for is '{top}'."
        )
    return Query(tuple(_conditions(found["$filter"])) if "$filter" in found else (), top, skip)


def _number(name: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,9}", text):
        raise ODataError(f"Invalid value '{text[:40]}' for {name} query option.")
    return int(text)


def _conditions(text: str) -> Iterable[Condition]:
    position = 0
    while True:
        clause = _CLAUSE.match(text, position)
        if not clause:
            raise ODataError(f"Syntax error at position {position} in '{text[:200]}'.")
        yield _condition(*clause.groups())
        position = clause.end()
        if position == len(text):
            return
        if text[position : position + 4] != "and ":
            raise ODataError(f"Syntax error at position {position} in '{text[:200]}'.")
        position += 4


def _condition(name: str, operation: str, literal: str) -> Condition:
    if operation not in _OPERATORS:
        raise ODataError(f"The operator '{operation[:20]}' is not supported.")
    compare = _OPERATORS[operation]
    if name in _MOMENTS:
        return _compared(_MOMENTS[name], compare, _moment(literal))
    if name in _TEXTS and operation == "eq":
        return _compared(_TEXTS[name], compare, _text(literal))
    raise ODataError(f"Filtering on '{name[:40]}' with '{operation}' is not supported.")


def _compared(attribute: str, compare: Callable[[object, object], bool], value: object) -> Condition:
    return lambda version: compare(getattr(version, attribute), value)


def _moment(literal: str) -> int:
    try:
        return ticks_of(literal)
    except ValueError as error:
        raise ODataError(f"A binary operator with incompatible types was detected: {literal[:40]}.") from error


def _text(literal: str) -> str | None:
    if literal == "null":
        return None
    if not literal.startswith("'"):
        raise ODataError(f"Unquoted text: {literal[:40]}.")
    return literal[1:-1].replace("''", "'")
