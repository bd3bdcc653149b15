"""The incidents API of Defender XDR: list, get, update. As recorded, not as the prose has it."""

import random
from collections.abc import Callable, Sequence
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from sandbox import answers, odata, patch
from sandbox.casebook import Version, serialise
from sandbox.faults import Fault
from sandbox.gate import Admitted, Turned, admit
from sandbox.moments import SECOND, iso
from sandbox.poison import poisoned
from sandbox.resources import XDR
from sandbox.squeeze import segment
from sandbox.world import World

READERS = frozenset({"Incident.Read.All", "Incident.ReadWrite.All"})
WRITERS = frozenset({"Incident.ReadWrite.All"})
# The recorded service names this host in its context whichever host was called.
CONTEXT = "https://api.securitycenter.microsoft.com/api/$metadata#Incidents"
_HEAD = b'{"@odata.context":"' + CONTEXT.encode() + b'","value":['
_PACKED_HEAD, _PACKED_COMMA = segment(_HEAD), segment(b",")
Endpoint = Callable[[Request, Admitted], Response]


class IncidentsApi:
    """The three calls on one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def list(self, request: Request) -> Response:
        """GET /api/incidents → {"@odata.context", "value": [incident], "@odata.nextLink"?}, newest first."""
        return await self._answer(request, "list", READERS, self._list)

    async def one(self, request: Request) -> Response:
        """GET or PATCH /api/incidents/{id} → the incident."""
        if request.method == "PATCH":
            request.state.body = await request.body()
            return await self._answer(request, "patch", WRITERS, self._patch)
        return await self._answer(request, "get", READERS, self._get)

    async def _answer(self, request: Request, operation: str, roles: frozenset[str], endpoint: Endpoint) -> Response:
        try:
            call = await admit(self.world, request, operation=operation, resource=XDR, roles=roles)
        except Turned as turned:
            return turned.response
        return call.finished(endpoint(request, call))

    def _list(self, request: Request, call: Admitted) -> Response:
        try:
            query = odata.parse(request.query_params.multi_items())
        except odata.ODataError as problem:
            return answers.error(400, "ODataError", str(problem))
        versions = self._visible(call)
        page, more = query.page(versions[::-1] if self.world.ascending else versions)
        if drift := call.faults.get("drift"):
            self._drift(call, int(drift.number_option("changes", 5)))
        loops = "loop" in call.faults
        link = self._next_link(request, query, query.skip + (0 if loops else len(page))) if more or loops else None
        return _page(request, page, link, call.faults.get("poison"))

    def _visible(self, call: Admitted) -> Sequence[Version]:
        """Newest first; under the fault ``late`` without what was written in its last seconds."""
        late = call.faults.get("late")
        if late is None:
            return call.tenant.book.newest_first()
        if late.options.get("each"):
            longest = round(late.number_option("seconds", 30) * SECOND)
            return call.tenant.book.as_seen_each_late(self.world.clock.ticks(), longest)
        behind = round(late.number_option("seconds", 30) * SECOND)
        return call.tenant.book.as_seen_before(self.world.clock.ticks() - behind)

    def _drift(self, call: Admitted, changes: int) -> None:
        """After the page was read, some incidents move to the front: what a reader of the next page will miss."""
        rng = random.Random(self.world.rng.random())
        for incident_id in rng.sample(call.tenant.book.ids(), min(changes, len(call.tenant.book))):
            self.world.change_incident(call.tenant, incident_id)

    def _next_link(self, request: Request, query: odata.Query, skip: int) -> str:
        base = str(request.base_url).rstrip("/") if self.world.next_link_base == "own" else self.world.next_link_base
        options = {"$filter": request.query_params["$filter"]} if "$filter" in request.query_params else {}
        if "$top" in request.query_params:
            options["$top"] = str(query.top)
        options["$skip"] = str(skip)
        return f"{base}/api/incidents/?{urlencode(options, safe='$', quote_via=quote)}"

    def _get(self, request: Request, call: Admitted) -> Response:
        version = _named(request, call)
        if version is None:
            return _not_found(request)
        poison = call.faults.get("poison")
        body = poisoned(version.served, _way(poison)) if poison else version.served
        return answers.odata(body, request.headers.get("accept-encoding", ""))

    def _patch(self, request: Request, call: Admitted) -> Response:
        version = _named(request, call)
        if version is None:
            return _not_found(request)
        try:
            fields = patch.read(request.state.body, version.raw)
        except patch.BadPatch as problem:
            return answers.error(400, "InvalidRequestBody", str(problem))
        # The actor is the application, as at Microsoft: the analyst's name reaches nobody by itself.
        by = f"{self.world.registration.name} ({self.world.registration.client_id})"
        edit = patch.edit(fields, by=by, now=iso(self.world.clock.ticks()))
        raw = self.world.patch_incident(call.tenant, version.incident_id, edit)
        return answers.odata(serialise(raw), request.headers.get("accept-encoding", ""))


def _page(request: Request, page: Sequence[Version], link: str | None, poison: Fault | None) -> Response:
    tail = b"]" + (b',"@odata.nextLink":' + serialise(link) if link else b"") + b"}"
    bodies = [version.served for version in page]
    if poison and page:
        place = int(poison.number_option("place", 0)) % len(page)
        bodies[place] = poisoned(bodies[place], _way(poison))
    packed = None
    if not poison:
        pieces = [piece for version in page for piece in (_PACKED_COMMA, version.packed)][1:]
        packed = [_PACKED_HEAD, *pieces, segment(tail)]
    return answers.odata(_HEAD + b",".join(bodies) + tail, request.headers.get("accept-encoding", ""), packed)


def _way(poison: Fault) -> str:
    return str(poison.options.get("way", "deep"))


def _named(request: Request, call: Admitted) -> Version | None:
    text = request.path_params["incident_id"]
    return call.tenant.book.get(int(text)) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _not_found(request: Request) -> Response:
    return answers.error(404, "ResourceNotFound", f"Incident {request.path_params['incident_id'][:40]} was not found")
