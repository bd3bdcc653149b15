"""The control API: look at the truth, make things happen, switch faults on and off. The page is `sandbox.panel`.

POSTs that come from a page of another site are refused: it must not be able to steer the sandbox.
"""

import json
import math
from collections.abc import Callable
from hashlib import blake2b
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from sandbox import page
from sandbox.cast import Tenant
from sandbox.panel import Panel
from sandbox.resources import resource_named
from sandbox.world import World

Body = dict[str, Any]
# A form of the page says so in this field, and gets a page back instead of JSON.
FROM_PAGE = "_page"


class Wrong(Exception):
    """A call of the control API that cannot be carried out; the text says why."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


class Control:
    """What people and tests do with a world."""

    def __init__(self, world: World, panel: Panel) -> None:
        self.world, self.panel = world, panel
        self._actions: dict[tuple[str, str], Callable[[Request, Body], Any]] = {
            ("POST", "incidents"): self._incident,
            ("POST", "merge"): self._merge,
            ("POST", "move"): self._move,
            ("POST", "poison"): self._poison,
            ("POST", "silent"): self._silent,
            ("POST", "vanish"): self._vanish,
            ("POST", "consent"): self._consent,
            ("DELETE", "consent"): self._revoke,
            ("POST", "revoke"): self._revoke,
            ("POST", "state"): self._state,
            ("POST", "faults"): self._fault,
            ("DELETE", "faults"): self._no_fault,
            ("POST", "clear"): self._no_fault,
        }
        self._world_actions: dict[tuple[str, str], Callable[[Request, Body], Any]] = {
            ("POST", "faults"): self._fault,
            ("DELETE", "faults"): self._no_fault,
            ("POST", "clear"): self._no_fault,
            ("POST", "pace"): self._pace,
            ("POST", "clock"): self._clock,
            ("POST", "rotate-secret"): self._rotate,
            ("POST", "certificates"): self._certificate,
            ("POST", "quotas"): self._quotas,
        }

    async def health(self, request: Request) -> Response:
        """{"status": "ok", "seed": int, "pace": float}."""
        return JSONResponse({"status": "ok", "seed": self.world.seed, "pace": self.world.pace})

    async def tenants(self, request: Request) -> Response:
        """{"tenants": [{id, name, domain, state, incidents (None until first needed), grants, faults}]}."""
        return JSONResponse({"tenants": [self.world.describe(tenant) for tenant in self.world.tenants.values()]})

    async def truth(self, request: Request) -> Response:
        """All incidents of a tenant as served now, newest first; ``raw`` is the object itself."""
        try:
            tenant = self._tenant(request)
        except Wrong as wrong:
            return JSONResponse({"error": str(wrong)}, wrong.status)
        incidents = [
            {
                "incident_id": one.incident_id,
                "last_update_time": raw["lastUpdateTime"],
                "status": one.status,
                "raw": raw,
            }
            for one in tenant.book.newest_first()
            for raw in [one.raw]
        ]
        return _json({"tenant_id": tenant.tenant_id, "incidents": incidents})

    async def digest(self, request: Request) -> Response:
        """{tenant id: [[number, lastUpdateTime, blake2b-128 of the bytes as served, way it is poisoned or null]]}."""
        found = {
            tenant.tenant_id: [
                [one.incident_id, one.raw["lastUpdateTime"], blake2b(one.served, digest_size=16).hexdigest(), one.way]
                for one in tenant.book.newest_first()
            ]
            for tenant in self.world.tenants.values()
        }
        return JSONResponse(found)

    async def counters(self, request: Request) -> Response:
        """{"calls", "happened" by itself, "self_inflicted": 429s by the limits, "early": calls during a wait}."""
        quotas, shown = self.world.quotas, {"calls": self.world.calls.last, "happened": self.world.happened}
        return JSONResponse(shown | {"self_inflicted": quotas.refused, "early": quotas.early})

    async def calls(self, request: Request) -> Response:
        """{"last": int, "calls": [...]} with numbers above ``since``; tokens as the start of a hash only."""
        since = request.query_params.get("since", "0")
        found = self.world.calls.since(int(since) if since.isascii() and since.isdecimal() else 0)
        return JSONResponse({"last": self.world.calls.last, "calls": [call.described() for call in found]})

    async def act(self, request: Request) -> Response:
        """Every POST and DELETE: a JSON object or the page's form in, JSON or the page back."""
        actions = self._actions if "tenant" in request.path_params else self._world_actions
        return await self._carry_out(request, actions.get((request.method, request.path_params["action"])))

    async def change(self, request: Request) -> Response:
        """POST …/incidents/{number}: it changes, as the body's fields say or somehow plausibly."""
        return await self._carry_out(request, self._change)

    async def _carry_out(self, request: Request, action: Callable[[Request, Body], Any] | None) -> Response:
        from_page = "form" in request.headers.get("content-type", "")
        try:
            if not page.is_own_post(request):
                raise Wrong("Calls from pages of other sites are refused.", 403)
            body = await _body(request)
            from_page = bool(body.pop(FROM_PAGE, ""))
            if action is None:
                raise Wrong("There is no such action.", 404)
            done = action(request, body)
        except (Wrong, ValueError, OverflowError) as problem:
            status = getattr(problem, "status", 400)
            sentence = str(problem)
            return page.problem("Sandbox cloud", sentence, status) if from_page else _error(sentence, status)
        return RedirectResponse("/_sandbox/", 303) if from_page else _json(done)

    def _tenant(self, request: Request) -> Tenant:
        try:
            return self.world.tenant(request.path_params["tenant"])
        except KeyError:
            raise Wrong("There is no such tenant.", 404) from None

    def _maybe_tenant(self, request: Request) -> Tenant | None:
        return self._tenant(request) if "tenant" in request.path_params else None

    def _incident(self, request: Request, body: Body) -> Any:
        """A new incident; fields of the body replace its own."""
        tenant = self._tenant(request)
        raw = self.world.new_incident(tenant, body)
        self.panel.say(f"{tenant.name} has a new incident {raw['incidentId']}: {raw.get('incidentName')}")
        return raw

    def _change(self, request: Request, body: Body) -> Any:
        tenant, number = self._tenant(request), request.path_params["incident"]
        self._known(tenant, number)
        raw = self.world.change_incident(tenant, number, body or None)
        self.panel.say(f"Incident {number} of {tenant.name} has changed.")
        return raw

    def _merge(self, request: Request, body: Body) -> Any:
        """``source`` is merged into ``target``."""
        tenant = self._tenant(request)
        source, target = (self._known(tenant, body.get(name)) for name in ("source", "target"))
        raw = self.world.merge(tenant, source, target)
        self.panel.say(f"In {tenant.name}, incident {source} was merged into {target}.")
        return raw

    def _known(self, tenant: Tenant, number: Any) -> int:
        if not str(number).isdecimal() or int(number) not in tenant.book:
            raise Wrong(f"{tenant.name} has no incident {str(number)[:40]}.", 404)
        return int(number)

    def _consent(self, request: Request, body: Body) -> Any:
        """An administrator consents: to ``roles``, to one ``resource``, or to everything asked for."""
        tenant, roles = self._tenant(request), body.get("roles")
        if roles is not None and not (isinstance(roles, list) and all(isinstance(role, str) for role in roles)):
            raise Wrong("roles must be a list of role names.")
        chosen = resource_named(str(body["resource"])) if "resource" in body else None
        if "resource" in body and chosen is None:
            raise Wrong("There is no such resource.")
        self.world.approve(tenant, roles=roles, resources=[chosen] if chosen else None)
        late = f" The roles count in {tenant.consent_delay:.0f} seconds." if tenant.consent_delay else ""
        self.panel.say(f"An administrator of {tenant.name} has consented.{late}")
        return self.world.describe(tenant)

    def _move(self, request: Request, body: Body) -> Any:
        """The last alert of incident ``source`` goes over to ``target``."""
        return self._happens(
            request,
            body,
            "source",
            lambda tenant, number: self.world.move_alert(tenant, number, int(body.get("target", 0))),
        )

    def _silent(self, request: Request, body: Body) -> Any:
        """An alert of ``incident`` changes; the incident's own time does not."""
        return self._happens(request, body, "incident", self.world.silent_change)

    def _vanish(self, request: Request, body: Body) -> Any:
        """Microsoft no longer has ``incident``."""
        return self._happens(request, body, "incident", self.world.vanish)

    def _poison(self, request: Request, body: Body) -> Any:
        """``incident`` is always served spoiled, in ``way``."""
        way = str(body.get("way", "deep"))
        return self._happens(
            request, body, "incident", lambda one, number: self.world.poison_incident(one, number, way)
        )

    def _happens(self, request: Request, body: Body, name: str, act: Callable[[Tenant, int], object]) -> Any:
        tenant = self._tenant(request)
        try:
            act(tenant, int(body.get(name, 0)))
        except (KeyError, TypeError) as missing:
            raise Wrong(f"{tenant.name} has no such incident.", 404) from missing
        return {"incidents": len(tenant.book)}

    def _revoke(self, request: Request, body: Body) -> Any:
        """The customer deletes the enterprise application."""
        tenant = self._tenant(request)
        self.world.revoke(tenant)
        self.panel.say(f"{tenant.name} has removed the application. Tokens already out work until they expire.")
        return self.world.describe(tenant)

    def _state(self, request: Request, body: Body) -> Any:
        """``state`` is one of `cast.STATES`."""
        tenant = self._tenant(request)
        self.world.set_state(tenant, str(body.get("state")))
        self.panel.say(f"{tenant.name} is now: {tenant.state.replace('_', ' ')}.")
        return self.world.describe(tenant)

    def _fault(self, request: Request, body: Body) -> Any:
        """Switch a fault on, for one tenant or for all: {kind, probability?, count?, seed?, on?, …options}."""
        tenant = self._maybe_tenant(request)
        made = self.world.faults.add(tenant.tenant_id if tenant else None, body)
        self.panel.say(f"Switched on in {tenant.name if tenant else 'every tenant'}: {made.kind.replace('_', ' ')}.")
        return made.described()

    def _no_fault(self, request: Request, body: Body) -> Any:
        """Switch off the faults of one tenant, or with no tenant all there are; ``kind`` narrows it."""
        tenant = self._maybe_tenant(request)
        self.world.faults.clear(tenant.tenant_id if tenant else None, body.get("kind"))
        self.panel.say(f"The faults of {tenant.name if tenant else 'every tenant'} are off.")
        return {"faults": [fault.described() for fault in self.world.faults.active()]}

    def _pace(self, request: Request, body: Body) -> Any:
        """``pace`` 0 is quiet, 1 one happening every four seconds, 1000 the most; ``busy``: rarer things happen too."""
        self.world.pace, self.world.busy = _number(body, "pace", least=0, most=1000), bool(body.get("busy"))
        self.panel.say("Things happen by themselves now." if self.world.pace else "Nothing happens by itself now.")
        return {"pace": self.world.pace}

    def _clock(self, request: Request, body: Body) -> Any:
        """The world's clock moves forward by ``advance_seconds``."""
        self.world.advance(seconds=_number(body, "advance_seconds", least=0, most=10**9))
        now = self.world.clock.now().isoformat()
        self.panel.say(f"The sandbox's clock shows {now}.")
        return {"now": now}

    def _rotate(self, request: Request, body: Body) -> Any:
        """A new secret; the old ones expire unless ``keep_old``."""
        value = body.get("value")
        if value is not None and (not isinstance(value, str) or not value):
            raise Wrong("value must be a text that is not empty.")
        made = self.world.registration.rotate_secret(value=value, expire_old=not body.get("keep_old"))
        self.panel.say("The application has a new secret.")
        return {"client_secret": made}

    def _certificate(self, request: Request, body: Body) -> Any:
        """Trust the certificate in ``pem``."""
        return {"x5t#S256": self.world.register_certificate(str(body.get("pem", "")))}

    def _quotas(self, request: Request, body: Body) -> Any:
        """Count calls against Microsoft's limits, or do not."""
        self.world.quotas.enabled = bool(body.get("enabled", True))
        return {"enabled": self.world.quotas.enabled}


def _json(body: Any) -> Response:
    """JSON in plain ASCII: half a surrogate pair, which an incident may hold, gets through."""
    return Response(json.dumps(body), media_type="application/json")


def _error(sentence: str, status: int) -> Response:
    return JSONResponse({"error": sentence}, status)


def _number(body: Body, name: str, *, least: float, most: float) -> float:
    try:
        number = float(body.get(name, "nothing"))
    except (TypeError, ValueError):
        number = math.nan
    if not least <= number <= most:
        raise Wrong(f"{name} must be a number from {least} to {most}.")
    return number


async def _body(request: Request) -> Body:
    """A JSON object, or the form of the page. Wrong for anything else."""
    raw = await request.body()
    if not raw.strip():
        return {}
    if "form" in request.headers.get("content-type", ""):
        return dict(parse_qsl(raw.decode("utf-8", "replace")))
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise Wrong("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise Wrong("The body must be a JSON object.")
    return body
