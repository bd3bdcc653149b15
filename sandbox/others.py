"""The thin shapes around the incidents API: devices of Defender for Endpoint, incidents of Microsoft Graph."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox import answers
from sandbox.resources import GRAPH, MDE, Resource
from sandbox.world import World
from sandbox.xdr import Refusal, caller_of

GRAPH_READERS = frozenset({"SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All"})
MDE_READERS = frozenset({"Machine.Read.All", "Machine.ReadWrite.All"})


class OtherApis:
    """Read-only, enough to connect to."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def machines(self, request: Request) -> Response:
        """GET /api/machines: 404 where a tenant has no devices, as documented."""
        return self._answer(request, "machines", MDE, MDE_READERS)

    async def graph_incidents(self, request: Request) -> Response:
        """GET /v1.0/security/incidents."""
        return self._answer(request, "graph", GRAPH, GRAPH_READERS)

    def _answer(self, request: Request, operation: str, resource: Resource, roles: frozenset[str]) -> Response:
        request.state.operation = operation
        try:
            caller = caller_of(self.world, request, resource)
        except Refusal as refusal:
            return refusal.response
        request.state.tenant_id = caller.tenant_id
        if not caller.roles & roles:
            return answers.error(403, "Forbidden", "A required role is missing.", target=caller.tenant_id)
        struck = answers.instead(self.world.faults.draw(caller.tenant_id, operation), tenant_id=caller.tenant_id)
        if struck is not None:
            return struck
        tenant = self.world.tenants[caller.tenant_id]
        rows = [_machine(device) for device in tenant.estate.devices]
        if operation == "graph":
            rows = [_graph(version.raw) for version in tenant.book.newest_first()[:50]]
        if not rows:
            return answers.error(404, "ResourceNotFound", "No machines were found", target=caller.tenant_id)
        return JSONResponse({"value": rows})


def _machine(device: Any) -> dict[str, Any]:
    return {
        "id": device.device_id,
        "computerDnsName": device.dns,
        "osPlatform": device.shape.get("osPlatform"),
        "healthStatus": "Active",
    }


def _graph(raw: dict[str, Any]) -> dict[str, Any]:
    redirect = raw.get("redirectIncidentId")
    return {
        "id": str(raw["incidentId"]),
        "displayName": raw["incidentName"],
        "createdDateTime": raw["createdTime"],
        "lastUpdateDateTime": raw["lastUpdateTime"],
        "status": raw["status"][:1].lower() + raw["status"][1:],
        "severity": raw["severity"].lower(),
        "redirectIncidentId": str(redirect) if redirect else None,
        "assignedTo": raw.get("assignedTo"),
        "customTags": raw.get("tags") or [],
    }
