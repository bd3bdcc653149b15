"""How an address of the API is made of operations, one per method, each of which says what it takes and gives.

What is said here is used twice: to read what was sent and write what is answered, and to describe both in the OpenAPI
document. So the two cannot come to differ.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final, get_origin, get_type_hints

import msgspec
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from accounts.actor import actor_for
from accounts.models import User
from api.models import Token, Verb
from api.problems import Problem
from audit.record import Actor

JSON: Final = "application/json"
# Ours: bytes of a body; a decision over a thousand incidents takes a tenth of it.
LARGEST_BODY: Final = 500_000


@dataclass(frozen=True)
class Call:
    """One request to an operation. ``query`` and ``body`` are read when they are asked for, after access is known."""

    request: HttpRequest
    user: User
    token: Token
    operation: "Operation"
    now: datetime

    @property
    def by(self) -> Actor:
        """For the audit log."""
        return actor_for(self.request)

    @cached_property
    def query(self) -> Any:
        """The query as the operation's ``query``. Raises Problem."""
        return _read(
            lambda: msgspec.convert(_pairs(self.request.GET, self.operation.query), self.operation.query, strict=False)
        )

    @cached_property
    def body(self) -> Any:
        """The body as the operation's ``body``. Raises Problem."""
        if self.request.content_type != JSON:
            raise Problem(415, f"Send the body as {JSON}.")
        if len(self.request.body) > LARGEST_BODY:
            raise Problem(413, f"The body is larger than {LARGEST_BODY:,} bytes; ask for less at once.")
        return _read(lambda: msgspec.json.decode(self.request.body, type=self.operation.body))


Run = Callable[..., Any]


@dataclass(frozen=True)
class Operation:
    """``media`` are the types of an answer that is no JSON; ``headers`` are required; ``refusals`` its own statuses."""

    run: Run
    verb: Verb | None
    summary: str
    answer: Any
    status: int = 200
    query: Any = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    media: tuple[str, ...] = ()
    refusals: Mapping[int, str] = field(default_factory=dict)
    own_scope: bool = False


def operation(**said: Any) -> Callable[[Run], Operation]:
    """Makes an operation of a function that takes the call and the places of the address."""
    return lambda run: Operation(run=run, **said)


def resource(**operations: Operation) -> Any:
    """The view of one address: its operations by method. HEAD is GET without a body."""
    allowed = ", ".join(sorted(operations))

    @csrf_exempt  # no cookie comes this far, so no page of another site can ask through a browser
    def view(request: HttpRequest, **places: Any) -> HttpResponseBase:
        chosen = operations.get("GET" if request.method == "HEAD" else str(request.method))
        try:
            if chosen is None:
                raise Problem(405, f"This address knows {allowed} only.", headers={"Allow": allowed})
            return _answer(chosen, request, places)
        except Problem as problem:
            return problem.response()

    view.operations = operations  # type: ignore[attr-defined]
    view.opens_own_scope = any(one.own_scope for one in operations.values())  # type: ignore[attr-defined]
    return view


def _answer(chosen: Operation, request: HttpRequest, places: Mapping[str, Any]) -> HttpResponseBase:
    token: Token = request.api_token  # type: ignore[attr-defined]
    if chosen.verb is not None and chosen.verb not in token.verbs:
        raise Problem(403, f"This token is not for it: it takes the verb {chosen.verb.value}.")
    call = Call(request, token.owner, token, chosen, timezone.now())
    result = chosen.run(call, **places)
    if isinstance(result, HttpResponseBase):
        return result
    return HttpResponse(msgspec.json.encode(result), status=chosen.status, content_type=JSON)


def _pairs(sent: QueryDict, wanted: Any) -> dict[str, Any]:
    """What was sent once as itself and what may be repeated as a list; nothing may be sent twice by mistake."""
    hints = get_type_hints(wanted)
    lists = {name for name, kind in hints.items() if get_origin(kind) in {list, tuple}}
    for name, values in sent.lists():
        if name not in hints:
            raise Problem(400, f"The query knows no {name[:40]!r}; it knows {', '.join(sorted(hints)) or 'nothing'}.")
        if len(values) > 1 and name not in lists:
            raise Problem(400, f"The query says {name} more than once.")
    return {name: values if name in lists else values[0] for name, values in sent.lists()}


def _read(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as wrong:
        raise Problem(400, f"What was sent cannot be read: {str(wrong)[:300]}.") from None
