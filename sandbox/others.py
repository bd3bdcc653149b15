"""The thin shapes around the incidents API: devices of Defender for Endpoint, incidents of Microsoft Graph."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox import answers, odata
from sandbox.casebook import Raw, serialise
from sandbox.estate import Device
from sandbox.gate import Turned, admit
from sandbox.resources import GRAPH, MDE
from sandbox.world import World

GRAPH_READERS = frozenset({"SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All"})
MDE_READERS = frozenset({"Machine.Read.All", "Machine.ReadWrite.All"})
# More than 50 incidents a page made every poll of Graph fail, as users of it report.
GRAPH_PAGE = 50
MACHINES = "https://api.security.microsoft.com/api/$metadata#Machines"
GRAPH_INCIDENTS = "https://graph.microsoft.com/v1.0/$metadata#security/incidents"
_SAME = ("firstSeen", "osPlatform", "version", "osProcessor", "osBuild", "healthStatus", "riskScore", "rbacGroupName")
_UNSET = ("Unknown", "NotAvailable", "UnSpecified")
# Graph renamed a few determinations; its pages disagree with each other on which.
_RENAMED = {
    "CompromisedUser": "compromisedAccount",
    "ConfirmedUserActivity": "confirmedActivity",
    "Clean": "notMalicious",
    "InsufficientData": "notEnoughDataToValidate",
    "Informational, expected activity": "informationalExpectedActivity",
}


class OtherApis:
    """Read-only, enough to connect to."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def machines(self, request: Request) -> Response:
        """GET /api/machines → {"@odata.context", "value": [machine]}; as documented, 404 where there are no devices."""
        try:
            call = await admit(self.world, request, operation="machines", resource=MDE, roles=MDE_READERS)
        except Turned as turned:
            return turned.response
        rows = [machine(device) for device in call.tenant.estate.devices]
        if not rows:
            return answers.error(404, "ResourceNotFound", "No machines were found")
        return call.finished(_sent(request, {"@odata.context": MACHINES, "value": rows}))

    async def machine(self, request: Request) -> Response:
        """GET /api/machines/{id or DNS name} → the machine."""
        try:
            call = await admit(self.world, request, operation="machines", resource=MDE, roles=MDE_READERS)
        except Turned as turned:
            return turned.response
        wanted = request.path_params["machine_id"]
        found = next((one for one in call.tenant.estate.devices if wanted in (one.device_id, one.dns)), None)
        if found is None:
            return answers.error(404, "ResourceNotFound", f"Machine {wanted[:60]} was not found")
        return call.finished(_sent(request, {"@odata.context": f"{MACHINES}/$entity", **machine(found)}))

    async def graph_incidents(self, request: Request) -> Response:
        """GET /v1.0/security/incidents → {"@odata.context", "value": [incident]}, newest first; $top ≤ 50 and $skip."""
        try:
            call = await admit(self.world, request, operation="graph", resource=GRAPH, roles=GRAPH_READERS)
        except Turned as turned:
            return turned.response
        try:
            query = odata.parse(({"$top": str(GRAPH_PAGE)} | dict(request.query_params)).items())
        except odata.ODataError as problem:
            return answers.error(400, "BadRequest", str(problem))
        if query.top > GRAPH_PAGE:
            return answers.error(400, "BadRequest", f"The limit of '{GRAPH_PAGE}' for Top query has been exceeded.")
        page, _ = query.page(call.tenant.book.newest_first())
        rows = [graph_incident(version.raw, call.tenant.tenant_id) for version in page]
        return call.finished(_sent(request, {"@odata.context": GRAPH_INCIDENTS, "value": rows}))


def _sent(request: Request, body: Raw) -> Response:
    return answers.odata(serialise(body), request.headers.get("accept-encoding", ""))


def machine(device: Device) -> dict[str, Any]:
    """A device in the machine resource's words; its ``id`` is the ``mdatpDeviceId`` of incidents."""
    shape = device.shape
    own = {"id": device.device_id, "computerDnsName": device.dns, "lastExternalIpAddress": device.external_ip}
    own |= {"lastIpAddress": f"10.7.{len(device.dns)}.{int(device.device_id[:2], 16)}", "lastSeen": shape["firstSeen"]}
    aad = {"aadDeviceId": shape["aadDeviceId"], "isAadJoined": shape["aadDeviceId"] is not None}
    group = {"rbacGroupId": 1 if shape["rbacGroupName"] else 0, "exposureLevel": "Medium"}
    tags = {"machineTags": shape["tags"], "onboardingStatus": shape["onboardingStatus"]}
    return own | {name: shape[name] for name in _SAME} | aad | group | tags


def graph_incident(raw: Raw, tenant_id: str) -> dict[str, Any]:
    """The same incident in Graph's words: ids as text, values in lower camel case, without alerts."""
    redirect, number = raw.get("redirectIncidentId"), raw["incidentId"]
    return {
        "id": str(number),
        "tenantId": tenant_id,
        "status": _camel(raw["status"]),
        "incidentWebUrl": f"https://security.microsoft.com/incident2/{number}/overview?tid={tenant_id}",
        "redirectIncidentId": str(redirect) if redirect else None,
        "displayName": raw.get("incidentName"),
        "createdDateTime": raw["createdTime"],
        "lastUpdateDateTime": raw["lastUpdateTime"],
        "assignedTo": raw.get("assignedTo"),
        "classification": _camel(raw.get("classification")),
        "determination": _camel(raw.get("determination")),
        "severity": _camel(raw.get("severity")),
        "customTags": raw.get("tags") or [],
        "systemTags": [],
        "comments": [_remark(remark) for remark in raw.get("comments") or []],
    } | dict.fromkeys(("description", "lastModifiedBy", "resolvingComment", "summary", "priorityScore"))


def _remark(remark: dict[str, Any]) -> dict[str, Any]:
    who = {"createdByDisplayName": remark.get("createdBy"), "createdDateTime": remark.get("createdTime")}
    return {"comment": remark.get("comment"), **who}


def _camel(word: object) -> str:
    text = str(word)
    if text in _RENAMED:
        return _RENAMED[text]
    return "unknown" if text in _UNSET else text[:1].lower() + text[1:]
