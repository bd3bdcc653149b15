"""The control API and its page: look at the truth, make things happen, switch faults on and off.

POSTs with an Origin of another site are refused: a page somewhere must not be able to steer the sandbox.
"""

import json
from collections.abc import Callable
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from sandbox import page
from sandbox.cast import STATES, Tenant
from sandbox.faults import KINDS
from sandbox.resources import resource_named
from sandbox.world import World

ON_PAGE = ("throttle", "status", "html", "cut", "slow", "drift", "wrong_tenant_token", "token_without_roles")


class Wrong(Exception):
    """A call of the control API that cannot be carried out; the text says why."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


class Control:
    """What people and tests do with a world."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def home(self, request: Request) -> Response:
        """The page."""
        return page.html("Sandbox cloud", self._body())

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok", "seed": self.world.seed, "pace": self.world.pace})

    async def tenants(self, request: Request) -> Response:
        """Every tenant: id, name, domain, state, number of incidents, grants, active faults."""
        return JSONResponse({"tenants": [self.world.describe(tenant) for tenant in self.world.tenants.values()]})

    async def truth(self, request: Request) -> Response:
        """All incidents of a tenant as served now, newest first; ``raw`` is the object itself."""
        try:
            tenant = self._tenant(request)
        except Wrong as wrong:
            return JSONResponse({"error": str(wrong)}, wrong.status)
        incidents = [
            {
                "incident_id": v.incident_id,
                "last_update_time": v.raw["lastUpdateTime"],
                "status": v.status,
                "raw": v.raw,
            }
            for v in tenant.book.newest_first()
        ]
        body = json.dumps({"tenant_id": tenant.tenant_id, "incidents": incidents})
        return Response(body.encode("utf-8", "surrogatepass"), media_type="application/json")

    async def calls(self, request: Request) -> Response:
        """Calls with a number above ``since``; tokens as the start of a hash only."""
        since = request.query_params.get("since", "0")
        found = self.world.calls.since(int(since) if since.isdecimal() else 0)
        return JSONResponse({"last": self.world.calls.last, "calls": [call.described() for call in found]})

    async def act(self, request: Request) -> Response:
        """Every POST and DELETE."""
        origin = request.headers.get("origin")
        if origin and urlsplit(origin).netloc != request.headers.get("host"):
            return JSONResponse({"error": "Calls from pages of other sites are refused."}, 403)
        try:
            body = await _body(request)
            done = self._action(request)(request, body)
        except Wrong as wrong:
            return JSONResponse({"error": str(wrong)}, wrong.status)
        except (ValueError, KeyError, TypeError) as problem:
            return JSONResponse({"error": str(problem)}, 400)
        if body.get("_page"):
            return RedirectResponse("/_sandbox/", 303)
        return JSONResponse(done)

    def _action(self, request: Request) -> Callable[[Request, dict[str, Any]], Any]:
        name = request.path_params.get("action", request.url.path.rsplit("/", 1)[-1])
        actions: dict[tuple[str, str], Callable[[Request, dict[str, Any]], Any]] = {
            ("POST", "incidents"): self._incident,
            ("POST", "change"): self._change,
            ("POST", "merge"): self._merge,
            ("POST", "consent"): self._consent,
            ("DELETE", "consent"): self._revoke,
            ("POST", "revoke"): self._revoke,
            ("POST", "state"): self._state,
            ("POST", "faults"): self._fault,
            ("DELETE", "faults"): self._no_fault,
            ("POST", "clear"): self._no_fault,
            ("POST", "pace"): self._pace,
            ("POST", "clock"): self._clock,
            ("POST", "rotate-secret"): self._rotate,
            ("POST", "certificates"): self._certificate,
            ("POST", "quotas"): self._quotas,
        }
        try:
            return actions[request.method, name]
        except KeyError:
            raise Wrong(f"There is no action {name!r}.", 404) from None

    def _tenant(self, request: Request) -> Tenant:
        try:
            return self.world.tenant(request.path_params["tenant"])
        except KeyError:
            raise Wrong("There is no such tenant.", 404) from None

    def _maybe_tenant(self, request: Request) -> Tenant | None:
        return self._tenant(request) if "tenant" in request.path_params else None

    def _incident(self, request: Request, body: dict[str, Any]) -> Any:
        """A new incident; fields of the body replace its own."""
        return self.world.new_incident(self._tenant(request), {k: v for k, v in body.items() if k != "_page"})

    def _change(self, request: Request, body: dict[str, Any]) -> Any:
        """An incident changes: as the fields say, or somehow plausibly."""
        number = int(request.path_params["incident"])
        fields = {k: v for k, v in body.items() if k != "_page"}
        return self.world.change_incident(self._tenant(request), number, fields or None)

    def _merge(self, request: Request, body: dict[str, Any]) -> Any:
        return self.world.merge(self._tenant(request), int(body["source"]), int(body["target"]))

    def _consent(self, request: Request, body: dict[str, Any]) -> Any:
        """An administrator consents: to ``roles``, to one ``resource``, or to everything asked for."""
        tenant, chosen = self._tenant(request), resource_named(str(body.get("resource", "")))
        self.world.approve(tenant, roles=body.get("roles"), resources=[chosen] if chosen else None)
        return self.world.describe(tenant)

    def _revoke(self, request: Request, body: dict[str, Any]) -> Any:
        tenant = self._tenant(request)
        self.world.revoke(tenant)
        return self.world.describe(tenant)

    def _state(self, request: Request, body: dict[str, Any]) -> Any:
        tenant = self._tenant(request)
        self.world.set_state(tenant, str(body.get("state")))
        return self.world.describe(tenant)

    def _fault(self, request: Request, body: dict[str, Any]) -> Any:
        tenant = self._maybe_tenant(request)
        settings = {k: v for k, v in body.items() if k != "_page"}
        return self.world.faults.add(tenant.tenant_id if tenant else None, settings).described()

    def _no_fault(self, request: Request, body: dict[str, Any]) -> Any:
        tenant = self._maybe_tenant(request)
        self.world.faults.clear(tenant.tenant_id if tenant else None, body.get("kind"))
        return {"faults": [fault.described() for fault in self.world.faults.active()]}

    def _pace(self, request: Request, body: dict[str, Any]) -> Any:
        pace = float(body.get("pace", 1))
        if not 0 <= pace <= 1000:
            raise Wrong("The pace lies between 0 (quiet) and 1000.")
        self.world.pace = pace
        return {"pace": pace}

    def _clock(self, request: Request, body: dict[str, Any]) -> Any:
        self.world.advance(seconds=float(body["advance_seconds"]))
        return {"now": self.world.clock.now().isoformat()}

    def _rotate(self, request: Request, body: dict[str, Any]) -> Any:
        """A new secret; the old ones expire unless ``keep_old``."""
        made = self.world.registration.rotate_secret(value=body.get("value"), expire_old=not body.get("keep_old"))
        return {"client_secret": made}

    def _certificate(self, request: Request, body: dict[str, Any]) -> Any:
        return {"x5t#S256": self.world.register_certificate(str(body["pem"]))}

    def _quotas(self, request: Request, body: dict[str, Any]) -> Any:
        self.world.quotas.enabled = bool(body.get("enabled", True))
        return {"enabled": self.world.quotas.enabled}

    def _body(self) -> str:
        rows = "".join(self._row(tenant) for tenant in list(self.world.tenants.values())[:200])
        lively = self.world.pace > 0
        other = page.button("Make it quiet" if lively else "Make it lively", "/_sandbox/pace", _pace(not lively))
        clear = page.button("Switch every fault off", "/_sandbox/clear", [("_page", "1")])
        active = ", ".join(escape(fault.kind) for fault in self.world.faults.active() if fault.tenant_id is None)
        return f"""<h1>Sandbox cloud</h1>
<p>It stands in for Entra ID and Microsoft Defender XDR. What you do here happens "at Microsoft"; the portal finds out
by itself. The world is {"lively" if lively else "quiet"}. {f"Faults in every tenant: {active}." if active else ""}</p>
<div class="row">{other}{clear}</div>
<div class="scroll"><table><thead><tr>
<th scope="col">Tenant</th><th scope="col">State</th><th scope="col">Incidents</th>
<th scope="col">Happenings</th><th scope="col">Consent</th><th scope="col">Faults</th>
</tr></thead><tbody>{rows}</tbody></table></div>"""

    def _row(self, tenant: Tenant) -> str:
        row, here, mark = self.world.describe(tenant), f"/_sandbox/tenants/{tenant.tenant_id}", [("_page", "1")]
        faults = ", ".join(row["faults"])
        options = "".join(f"<option>{kind}</option>" for kind in ON_PAGE)
        switch = f"""<form method="post" action="{here}/faults"><input type="hidden" name="_page" value="1">
<select name="kind" aria-label="Fault for {escape(tenant.name)}">{options}</select><button>On</button></form>"""
        off = page.button("Off", f"{here}/clear", mark) if faults else ""
        return f"""<tr><th scope="row">{escape(tenant.name)}<br><small>{escape(tenant.domain)}</small></th>
<td>{escape(row["state"].replace("_", " "))}</td><td>{row["incidents"]}</td>
<td>{page.button("New incident", f"{here}/incidents", mark)}</td>
<td>{page.button("Approve", f"{here}/consent", mark)}{page.button("Revoke", f"{here}/revoke", mark)}</td>
<td>{escape(faults)} {switch}{off}</td></tr>"""


def _pace(lively: bool) -> list[tuple[str, str]]:
    return [("pace", "1" if lively else "0"), ("_page", "1")]


async def _body(request: Request) -> dict[str, Any]:
    """JSON, or the form of the page."""
    raw = await request.body()
    if not raw:
        return {}
    if "json" in request.headers.get("content-type", ""):
        body = json.loads(raw)
        if not isinstance(body, dict):
            raise Wrong("The body must be a JSON object.")
        return body
    return dict(parse_qsl(raw.decode("utf-8", "replace")))


def known() -> dict[str, Any]:
    """What the control API takes, for documentation: states and kinds of faults."""
    return {"states": STATES, "faults": sorted(KINDS)}
