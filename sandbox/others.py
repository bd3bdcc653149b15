"""The thin shapes around the incidents API: devices of Defender for Endpoint, incidents of Microsoft Graph."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox import answers
from sandbox.casebook import Raw
from sandbox.estate import Device
from sandbox.gate import Turned, admit
from sandbox.resources import GRAPH, MDE
from sandbox.world import World

GRAPH_READERS = frozenset({"SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All"})
MDE_READERS = frozenset({"Machine.Read.All", "Machine.ReadWrite.All"})
# More than 50 incidents a page made every poll of Graph fail, as users of it report.
GRAPH_PAGE = 50


class OtherApis:
    """Read-only, enough to connect to."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def machines(self, request: Request) -> Response:
        """GET /api/machines → {"value": [machine]}; 404 where a tenant has no devices, as documented."""
        try:
            call = await admit(self.world, request, operation="machines", resource=MDE, roles=MDE_READERS)
        except Turned as turned:
            return turned.response
        rows = [_machine(device) for device in call.tenant.estate.devices]
        if not rows:
            return answers.error(404, "ResourceNotFound", "No machines were found")
        return call.finished(JSONResponse({"value": rows}))

    async def graph_incidents(self, request: Request) -> Response:
        """GET /v1.0/security/incidents → {"value": [incident]}, the newest 50."""
        try:
            call = await admit(self.world, request, operation="graph", resource=GRAPH, roles=GRAPH_READERS)
        except Turned as turned:
            return turned.response
        newest = call.tenant.book.newest_first()[:GRAPH_PAGE]
        return call.finished(JSONResponse({"value": [_graph(version.raw) for version in newest]}))


def _machine(device: Device) -> dict[str, Any]:
    same = (
        "osPlatform",
        "version",
        "osBuild",
        "healthStatus",
        "riskScore",
        "rbacGroupName",
        "aadDeviceId",
        "firstSeen",
    )
    own = {"id": device.device_id, "computerDnsName": device.dns, "lastExternalIpAddress": device.external_ip}
    tags = {"machineTags": device.shape["tags"], "onboardingStatus": device.shape["onboardingStatus"]}
    return own | {name: device.shape[name] for name in same} | tags


def _graph(raw: Raw) -> dict[str, Any]:
    redirect = raw.get("redirectIncidentId")
    return {
        "id": str(raw["incidentId"]),
        "displayName": raw.get("incidentName"),
        "createdDateTime": raw["createdTime"],
        "lastUpdateDateTime": raw["lastUpdateTime"],
        "status": raw["status"][:1].lower() + raw["status"][1:],
        "severity": str(raw.get("severity")).lower(),
        "redirectIncidentId": str(redirect) if redirect else None,
        "assignedTo": raw.get("assignedTo"),
        "customTags": raw.get("tags") or [],
    }
