"""The OpenAPI 3.1 document: made of the addresses and operations that answer, and of the types they read and write.

Nothing is described here that is not said there, so the document cannot fall behind; tests hold answers against it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import msgspec
from django.urls import URLResolver, get_resolver

from api.models import Verb
from api.operations import JSON, Operation
from api.problems import TYPE
from api.schema import NoQuery, ProblemSaid

VERSION: Final = "1"
PREFIX: Final = "/api/v1/"
_REF: Final = "#/components/schemas/{name}"
_PLACE: Final = re.compile(r"<(\w+):(\w+)>")
_KINDS: Final[Mapping[str, dict[str, Any]]] = {
    "int": {"type": "integer", "minimum": 0},
    "slug": {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$"},
    "uuid": {"type": "string", "format": "uuid"},
}
_ALWAYS: Final = {400: "What was sent cannot be read.", 401: "No token that holds.", 429: "Too many requests."}
_ABOUT: Final = (
    "Incidents of all tenants that a token is for, decisions on them, and the tenants' health. Every request carries "
    "`Authorization: Bearer …`. Errors are `application/problem+json`."
)


@cache
def text() -> str:
    """The document as JSON."""
    return json.dumps(document(), indent=1)


def document() -> dict[str, Any]:
    """The document as a tree."""
    answers = [(path, method, one) for path, operations in addresses() for method, one in operations.items()]
    types = {kind for *_, one in answers for kind in (one.query, one.body, one.answer) if _is_type(kind)}
    named, components = msgspec.json.schema_components(
        sorted({*types, ProblemSaid}, key=lambda kind: kind.__name__), ref_template=_REF
    )
    del named
    paths: dict[str, dict[str, Any]] = {}
    for path, method, one in answers:
        places, written = _places(path)
        paths.setdefault(written, {})[method.lower()] = _described(one, places, components)
    queries = {kind.__name__ for kind in types if any(kind is one.query for *_, one in answers)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Defender Portal API", "version": VERSION, "description": _ABOUT},
        "servers": [{"url": PREFIX.rstrip("/")}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {name: one for name, one in components.items() if name not in queries},
        },
    }


def addresses() -> Iterator[tuple[str, Mapping[str, Operation]]]:
    """(pattern below the prefix, operations by method) of every address."""
    for below in get_resolver().url_patterns:
        if isinstance(below, URLResolver) and str(below.pattern) == PREFIX.removeprefix("/"):
            for entry in below.url_patterns:
                view: Any = getattr(entry, "callback", None)
                yield str(entry.pattern), view.operations


def _described(one: Operation, places: list[dict[str, Any]], components: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": one.run.__name__,
        "summary": one.summary,
        "description": _description(one),
        "parameters": [*places, *_headers(one), *_query(one, components)],
        "responses": {str(one.status): _answer(one), **_refusals(one, bool(places))},
    }
    if one.body is not None:
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": _ref(one.body)}}}
    return described


def _description(one: Operation) -> str:
    said = " ".join((one.run.__doc__ or "").split())
    return f"{said} Takes the verb `{Verb(one.verb).value}`." if one.verb else said


def _answer(one: Operation) -> dict[str, Any]:
    if one.media:
        return {"description": one.summary, "content": {media: {"schema": {"type": "string"}} for media in one.media}}
    schema = _ref(one.answer) if _is_type(one.answer) else {"type": "object"}
    return {"description": one.summary, "content": {JSON: {"schema": schema}}}


def _refusals(one: Operation, has_places: bool) -> dict[str, Any]:
    said = dict(_ALWAYS)
    if one.verb:
        said[403] = "The token, or its owner's role, does not include this."
    if has_places or one.query is not None:
        said[404] = "There is no such thing, or the token is not for it."
    if one.body is not None:
        said |= {413: "The body is too large.", 415: "The body is not JSON."}
    said |= one.refusals
    problem = {"content": {TYPE: {"schema": _ref(ProblemSaid)}}}
    return {str(status): {"description": words, **problem} for status, words in sorted(said.items())}


def _headers(one: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "required": True, "description": words, "schema": {"type": "string"}}
        for name, words in one.headers.items()
    ]


def _query(one: Operation, components: dict[str, Any]) -> list[dict[str, Any]]:
    if one.query in {None, NoQuery}:
        return []
    properties = components[one.query.__name__]["properties"]
    return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in properties.items()]


def _places(pattern: str) -> tuple[list[dict[str, Any]], str]:
    found = [
        {"name": name, "in": "path", "required": True, "schema": _KINDS[kind]} for kind, name in _PLACE.findall(pattern)
    ]
    return found, "/" + _PLACE.sub(r"{\2}", pattern)


def _ref(kind: Any) -> dict[str, str]:
    return {"$ref": _REF.format(name=kind.__name__)}


def _is_type(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)
