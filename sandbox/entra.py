"""Entra ID: discovery, keys, tokens by client credentials. The consent pages are in ``sandbox.consent``."""

import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox import answers, credentials, refusals
from sandbox.cast import Tenant
from sandbox.faults import INSTEAD, Fault
from sandbox.home import TENANT_ID as HOME
from sandbox.refusals import Refused
from sandbox.resources import MDE, XDR, Resource, resource_named
from sandbox.sign_in import CodeGrant
from sandbox.tokens import granted
from sandbox.world import World

REAL = "https://login.microsoftonline.com"
SHARED = ("common", "organizations", "consumers")
_OTHER_ENDPOINTS = {
    "authorization_endpoint": "authorize",
    "device_authorization_endpoint": "devicecode",
    "end_session_endpoint": "logout",
}


class Entra:
    """The sign-in host of one world."""

    def __init__(self, world: World) -> None:
        self.world, self.codes = world, CodeGrant(world)

    def _named(self, name: str) -> str | None:
        """The id of the tenant that a URL names: a customer's, or the home tenant's."""
        if self.world.home.is_named(name):
            return HOME
        found = self.world.find(name)
        return found.tenant_id if found else None

    @staticmethod
    def _audiences(request: Request, tenant_id: str) -> set[str]:
        """What a client assertion may be made out to: the real address of this endpoint, or the one asked."""
        version = "/v2.0" if "/v2.0/" in request.url.path else ""
        names = (request.path_params["tenant"], tenant_id)
        return {*(f"{REAL}/{name}/oauth2{version}/token" for name in names), str(request.url)}

    async def discovery(self, request: Request) -> Response:
        """GET /{tenant}[/v2.0]/.well-known/openid-configuration; names the real hosts, as Microsoft's does."""
        request.state.operation = "discovery"
        name, v2 = request.path_params["tenant"], "/v2.0/" in request.url.path
        request.state.tenant_id = tenant_id = self._named(name)
        faults = self.world.faults.draw(tenant_id, "discovery")
        request.state.faults = tuple(fault.kind for fault in faults)
        await answers.wait(faults)
        if struck := self._instead(faults):
            return struck
        if tenant_id is None and name not in SHARED:
            return refusals.answer(self.world.clock, _unknown(name, "invalid_tenant"))
        shown = document(tenant_id or name, v2=v2)
        return answers.spoiled(JSONResponse(shown, headers={"Cache-Control": "max-age=86400, private"}), faults)

    async def keys(self, request: Request) -> Response:
        """GET …/discovery/[v2.0/]keys → {"keys": [JWK]}."""
        request.state.operation = "keys"
        name = request.path_params["tenant"]
        tenant_id = self._named(name)
        if struck := self._instead(self.world.faults.draw(tenant_id, "keys")):
            return struck
        if tenant_id is None and name not in SHARED:
            return refusals.answer(self.world.clock, _unknown(name, "invalid_tenant"))
        return JSONResponse(self.world.keys.jwks(f"{REAL}/{tenant_id or '{tenantid}'}/v2.0"))

    async def token(self, request: Request) -> Response:
        """POST /{tenant}/oauth2/[v2.0/]token → the token, or an error object with its AADSTS code."""
        request.state.operation = "token"
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
        form |= credentials.from_basic(request.headers.get("authorization", ""))
        request.state.tenant_id = self._named(request.path_params["tenant"])
        is_sign_in = form.get("grant_type") == "authorization_code" and request.state.tenant_id == HOME
        request.state.operation = "sign_in" if is_sign_in else "token"
        faults = self.world.faults.draw(request.state.tenant_id, request.state.operation)
        request.state.faults = tuple(fault.kind for fault in faults)
        await answers.wait(faults)
        if struck := self._instead(faults):
            return struck
        try:
            if is_sign_in:
                granted = self.codes.redeem(form, audiences=self._audiences(request, HOME), faults=faults)
            else:
                granted = self._grant(request, form, {fault.kind for fault in faults})
        except Refused as refusal:
            return refusals.answer(self.world.clock, refusal)
        headers = {"Cache-Control": "no-store", "x-ms-request-id": str(uuid.uuid4())}
        return answers.spoiled(JSONResponse(granted, headers=headers), faults)

    def _instead(self, faults: Sequence[Fault]) -> Response | None:
        """The answer of a fault that takes Entra's place."""
        fault = next((fault for fault in faults if fault.kind in INSTEAD), None)
        if fault is None:
            return None
        if fault.kind != "throttle":
            return answers.instead(fault, tenant_id="", now=self.world.clock.seconds())
        wait = answers.retry_after(fault, now=self.world.clock.seconds())
        refusal = Refused(90055, "The tenant's requests are throttled because of many incoming requests.")
        answer = refusals.answer(self.world.clock, refusal)
        if wait is not None:
            answer.headers["Retry-After"] = wait
        return answer

    def _grant(self, request: Request, form: dict[str, str], kinds: set[str]) -> dict[str, Any]:
        name, v2 = request.path_params["tenant"], "/v2.0/" in request.url.path
        tenant = self._asked(name, form)
        resource, audience = self._resource(form, v2=v2)
        if "secret_expired" in kinds:
            raise Refused(7000222, "The provided client secret keys are expired.")
        here = self._audiences(request, tenant.tenant_id)
        acr = credentials.prove(self.world.registration, form, audiences=here, now=self.world.clock.seconds())
        self._installed(tenant, resource)
        token, seconds = self._issue(tenant, resource, audience, acr, kinds)
        numbers: dict[str, Any] = {"expires_in": seconds, "ext_expires_in": seconds}
        if not v2:
            now = int(self.world.clock.seconds())
            numbers = {key: str(value) for key, value in numbers.items()}
            numbers |= {"expires_on": str(now + seconds), "not_before": str(now), "resource": audience}
        return {"token_type": "Bearer", **numbers, "access_token": token}

    def _asked(self, name: str, form: dict[str, str]) -> Tenant:
        """The tenant, after the checks Entra makes before it looks at the credential."""
        if form.get("grant_type") != "client_credentials":
            code = 900144 if not form.get("grant_type") else 70003
            raise Refused(code, "The request body must contain a grant type that this application may use.")
        if name in SHARED:
            raise Refused(9001023, "The grant type isn't supported over the /common or /consumers endpoints.")
        tenant = self.world.find(name)
        if tenant is None:
            raise _unknown(name, "invalid_request")
        if not form.get("client_id"):
            raise Refused(900144, "The request body must contain the following parameter: 'client_id'.")
        if form["client_id"].lower() != self.world.registration.client_id:
            app = form["client_id"][:80]
            raise Refused(
                700016, f"Application with identifier '{app}' was not found in the directory '{tenant.name}'."
            )
        return tenant

    def _resource(self, form: dict[str, str], *, v2: bool) -> tuple[Resource, str]:
        asked = form.get("scope" if v2 else "resource", "")
        if not asked:
            raise Refused(900144, f"The request body must contain the parameter '{'scope' if v2 else 'resource'}'.")
        if v2 and (" " in asked.strip() or not asked.strip().endswith("/.default")):
            raise Refused(70011, f"The provided value for the input parameter 'scope' isn't valid: {asked[:120]}.")
        identifier = asked.strip().removesuffix("/.default") if v2 else asked.strip()
        resource = resource_named(identifier)
        if resource is None:
            raise Refused(500011, f"The resource principal named {identifier[:120]} was not found in the tenant.")
        return resource, identifier.rstrip("/") if "://" in identifier else resource.identifiers[0]

    def _installed(self, tenant: Tenant, resource: Resource) -> None:
        if tenant.licence == "none" and resource in (XDR, MDE):
            raise Refused(
                500011, f"The resource principal named {resource.identifiers[0]} was not found in the tenant."
            )
        if tenant.principal is None:
            app = self.world.registration.client_id
            raise Refused(
                7000229, f"The client application {app} is missing service principal in the tenant {tenant.tenant_id}."
            )
        if not tenant.principal.enabled:
            raise Refused(7000112, f"Application '{self.world.registration.client_id}' is disabled.")
        if tenant.licence == "lapsed" and resource in (XDR, MDE):
            raise Refused(500014, f"The service principal for resource '{resource.identifiers[0]}' is disabled.")

    def _issue(self, tenant: Tenant, resource: Resource, audience: str, acr: str, kinds: set[str]) -> tuple[str, int]:
        now = self.world.clock.ticks()
        roles = granted(tenant.principal, resource.key, now=now) if tenant.principal else []
        if "token_without_roles" in kinds:
            roles = []
        named = tenant
        if "wrong_tenant_token" in kinds:
            # A world of one tenant has no other whose token could come by mistake.
            named = next((other for other in self.world.tenants.values() if other is not tenant), tenant)
        claims = self.world.tokens.claims(self.world.registration, named, audience, roles, acr)
        seconds = int(claims["exp"] - claims["iat"])
        made = self.world.tokens.opaque(claims) if "opaque_token" in kinds else self.world.tokens.sign(claims)
        return made, seconds


def _unknown(name: str, error: str) -> Refused:
    """Recorded: discovery calls an unknown tenant invalid_tenant, the token endpoint invalid_request."""
    if "." not in name and not _is_guid(name):
        return Refused(900021, f"Requested tenant identifier '{name[:80]}' is not valid.", error)
    return Refused(90002, f"Tenant '{name[:80]}' not found. Check to make sure you have the correct tenant ID.", error)


def _is_guid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False


def document(tenant: str, *, v2: bool) -> dict[str, Any]:
    """The discovery document: fields and hosts as recorded."""
    version = "/v2.0" if v2 else ""
    base = f"{REAL}/{tenant}"
    issuer = f"{base}/v2.0" if v2 else f"https://sts.windows.net/{tenant}/"
    if tenant in SHARED:
        issuer = f"{REAL}/{{tenantid}}/v2.0" if v2 else "https://sts.windows.net/{tenantid}/"
    found: dict[str, Any] = {
        "token_endpoint": f"{base}/oauth2{version}/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "jwks_uri": f"{base}/discovery{version}/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": issuer,
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": "https://graph.microsoft.com/oidc/userinfo",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "nonce", "name", "tid", "ver"],
        "tenant_region_scope": "WW",
        "cloud_instance_name": "microsoftonline.com",
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": "graph.microsoft.com",
        "rbac_url": "https://pas.windows.net",
    }
    return found | {name: f"{base}/oauth2{version}/{end}" for name, end in _OTHER_ENDPOINTS.items()}
