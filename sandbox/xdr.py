"""The incidents API of Defender XDR: list, get, update. As recorded, not as the prose has it."""

import json
import random
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from sandbox import answers, cast, odata
from sandbox.casebook import Version, serialise
from sandbox.faults import Fault
from sandbox.moments import SECOND, iso
from sandbox.resources import XDR, Resource
from sandbox.squeeze import accepted, segment, wrap
from sandbox.tokens import Caller, NotAToken
from sandbox.world import World

READERS = frozenset({"Incident.Read.All", "Incident.ReadWrite.All"})
WRITERS = frozenset({"Incident.ReadWrite.All"})
# The recorded service names this host in its context whichever host was called.
CONTEXT = "https://api.securitycenter.microsoft.com/api/$metadata#Incidents"
STATUSES = ("Active", "InProgress", "Resolved", "Redirected")
CLASSIFICATIONS = ("TruePositive", "InformationalExpectedActivity", "FalsePositive")
SETTABLE = ("status", "assignedTo", "classification", "determination", "tags", "comment")
POISONS = {
    "nan": b'{"incidentId":%d,"incidentName":NaN,"lastUpdateTime":"%s"}',
    "deep": b'{"incidentId":%d,"lastUpdateTime":"%s","alerts":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "digits": b'{"incidentId":%d,"lastUpdateTime":"%s","redirectIncidentId":' + b"9" * 100_000 + b"}",
    "text": b'{"incidentId":%d,"lastUpdateTime":"%s","alerts":"none","createdTime":7,"tags":{"a":1}}',
}


class Refusal(Exception):
    """An answer that ends the call early."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def caller_of(world: World, request: Request, resource: Resource) -> Caller:
    """Who calls, by the bearer token; raises Refusal with 401, or 403 where the token is for another API."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() != "bearer":
            raise NotAToken
        caller = world.tokens.read(token.strip())
    except NotAToken:
        message = "Missing, expired or invalid token."
        raise Refusal(answers.error(401, "Unauthorized", message, target="|sandbox.")) from None
    if caller.audience.rstrip("/") not in resource.identifiers:
        raise Refusal(answers.error(403, "Forbidden", "The token is for another API.", target="|sandbox."))
    return caller


class IncidentsApi:
    """The three calls on one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def list(self, request: Request) -> Response:
        """GET /api/incidents."""
        return await self._answer(request, "list", READERS, self._list)

    async def one(self, request: Request) -> Response:
        """GET or PATCH /api/incidents/{id}."""
        if request.method == "PATCH":
            request.state.body = await request.body()
            return await self._answer(request, "patch", WRITERS, self._patch)
        return await self._answer(request, "get", READERS, self._get)

    async def _answer(self, request: Request, operation: str, roles: frozenset[str], carry_out: Any) -> Response:
        request.state.operation = operation
        try:
            caller = caller_of(self.world, request, XDR)
        except Refusal as refusal:
            return refusal.response
        request.state.tenant_id = caller.tenant_id
        tenant = self.world.tenants[caller.tenant_id]
        faults = self.world.faults.draw(caller.tenant_id, operation)
        request.state.faults = tuple(fault.kind for fault in faults)
        await answers.wait(faults, at_least=2.0 if tenant.manner == cast.SLOW else 0.0)
        struck = answers.instead(faults, tenant_id=caller.tenant_id)
        if struck is not None:
            return struck
        refused = self._allowed(tenant, caller, operation, roles)
        response: Response = refused or carry_out(request, tenant, faults)
        return answers.spoiled(response, faults)

    def _allowed(self, tenant: cast.Tenant, caller: Caller, operation: str, roles: frozenset[str]) -> Response | None:
        if not caller.roles & roles:
            message = "The application does not have any of the required application permissions."
            return answers.error(403, "Forbidden", message, target=caller.tenant_id)
        if tenant.manner == cast.THROTTLING and self.world.rng.random() < 0.5:
            message = (
                "API calls quota exceeded! Maximum allowed 50 per 00:01:00 for the key Destination+TenantID+AppID. "
            )
            message += "You can send requests again in 8 seconds."
            return answers.throttled(message, 8, tenant_id=caller.tenant_id, with_header=tenant.number % 2 == 0)
        exceeded = self.world.quotas.spend(tenant.tenant_id, operation, now=self.world.clock.seconds())
        if exceeded is None:
            return None
        with_header = tenant.number % 2 == 0 if self.world.retry_after is None else self.world.retry_after
        return answers.throttled(
            exceeded.message, exceeded.seconds, tenant_id=caller.tenant_id, with_header=with_header
        )

    def _list(self, request: Request, tenant: cast.Tenant, faults: Sequence[Fault]) -> Response:
        try:
            query = odata.parse(request.query_params.multi_items())
        except odata.ODataError as problem:
            return answers.error(400, "ODataError", str(problem), target=tenant.tenant_id)
        kinds = {fault.kind: fault for fault in faults}
        versions = tenant.book.newest_first()
        if "late" in kinds:
            behind = round(kinds["late"].number_option("seconds", 30) * SECOND)
            versions = tenant.book.as_seen_before(self.world.clock.ticks() - behind)
        page, more = query.page(versions)
        if "drift" in kinds:
            self._drift(tenant, int(kinds["drift"].number_option("changes", 5)))
        skip = query.skip if "loop" in kinds else query.skip + len(page)
        link = self._next_link(request, query, skip) if more or "loop" in kinds else None
        return self._page(request, page, link, kinds.get("poison"))

    def _drift(self, tenant: cast.Tenant, changes: int) -> None:
        """After the page was read, some incidents move to the front: what a reader of the next page will miss."""
        rng = random.Random(self.world.rng.random())
        for incident_id in rng.sample(tenant.book.ids(), min(changes, len(tenant.book))):
            self.world.change_incident(tenant, incident_id)

    def _next_link(self, request: Request, query: odata.Query, skip: int) -> str:
        base = str(request.base_url).rstrip("/") if self.world.next_link_base == "own" else self.world.next_link_base
        options = {"$filter": request.query_params["$filter"]} if "$filter" in request.query_params else {}
        if "$top" in request.query_params:
            options["$top"] = str(query.top)
        options["$skip"] = str(skip)
        return f"{base}/api/incidents/?{urlencode(options, safe='$', quote_via=quote)}"

    def _page(self, request: Request, page: Sequence[Version], link: str | None, poison: Fault | None) -> Response:
        bodies = [version.body for version in page]
        head = b'{"@odata.context":"' + CONTEXT.encode() + b'","value":['
        tail = b"]" + (b',"@odata.nextLink":' + answers.dumps(link) if link else b"") + b"}"
        if poison and page:
            place = int(poison.number_option("place", 0)) % len(page)
            bodies[place] = _poisoned(page[place], str(poison.options.get("way", "deep")))
        plain = head + b",".join(bodies) + tail
        encoding = accepted(request.headers.get("accept-encoding", ""))
        if not encoding:
            return Response(plain, headers=answers.ODATA)
        if poison:
            segments = [segment(plain)]
        else:
            comma = segment(b",")
            pieces = [piece for version in page for piece in (comma, version.packed)][1:]
            segments = [segment(head), *pieces, segment(tail)]
        return Response(wrap(segments, plain, encoding), headers=answers.ODATA | {"Content-Encoding": encoding})

    def _get(self, request: Request, tenant: cast.Tenant, faults: Sequence[Fault]) -> Response:
        version = self._known(request, tenant)
        if version is None:
            return _not_found(request, tenant)
        poison = next((fault for fault in faults if fault.kind == "poison"), None)
        body = _poisoned(version, str(poison.options.get("way", "deep"))) if poison else version.body
        return Response(body, headers=answers.ODATA)

    def _known(self, request: Request, tenant: cast.Tenant) -> Version | None:
        text = request.path_params["incident_id"]
        return tenant.book.get(int(text)) if text.isdecimal() else None

    def _patch(self, request: Request, tenant: cast.Tenant, faults: Sequence[Fault]) -> Response:
        version = self._known(request, tenant)
        if version is None:
            return _not_found(request, tenant)
        try:
            fields = json.loads(request.state.body)
        except ValueError:
            fields = None
        problem = _problem(fields)
        if problem:
            return answers.error(400, "InvalidRequestBody", problem, target=tenant.tenant_id)
        by = f"{self.world.registration.name} ({self.world.registration.client_id})"
        raw = self.world.patch_incident(tenant, version.incident_id, _edit(fields, by, iso(self.world.clock.ticks())))
        return Response(serialise(raw), headers=answers.ODATA)


def _poisoned(version: Version, way: str) -> bytes:
    form = POISONS.get(way, POISONS["deep"])
    return form.replace(b"%d", str(version.incident_id).encode()).replace(b"%s", iso(version.updated).encode())


def _not_found(request: Request, tenant: cast.Tenant) -> Response:
    message = f"Incident {request.path_params['incident_id'][:40]} was not found"
    return answers.error(404, "ResourceNotFound", message, target=tenant.tenant_id)


def _problem(fields: Any) -> str:
    if not isinstance(fields, dict) or not fields:
        return "Request body is incorrect"
    if unknown := set(fields) - set(SETTABLE):
        return f"Unknown property {sorted(unknown)[0][:40]}"
    if fields.get("status") is not None and fields["status"] not in STATUSES:
        return "Invalid status"
    if fields.get("classification") is not None and fields["classification"] not in CLASSIFICATIONS:
        return "Invalid classification"
    if "tags" in fields and not _is_texts(fields["tags"]):
        return "Invalid tags"
    return "" if isinstance(fields.get("comment", ""), str) else "Invalid comment"


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _edit(fields: dict[str, Any], by: str, now: str) -> Any:
    """Omitted fields keep their values; tags are replaced; the comment is appended in the application's name."""

    def edit(raw: dict[str, Any]) -> None:
        raw |= {name: value for name, value in fields.items() if name != "comment"}
        if raw.get("assignedTo") == "":
            raw["assignedTo"] = None
        if fields.get("comment"):
            raw["comments"] = [*(raw.get("comments") or [])]
            raw["comments"].append({"comment": fields["comment"], "createdBy": by, "createdTime": now})

    return edit
