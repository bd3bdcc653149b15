"""The admin-consent pages, v1 and v2, and the redirect back with the documented answers."""

from html import escape
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox import page
from sandbox.cast import Tenant
from sandbox.resources import RESOURCES, Resource, resource_named
from sandbox.world import World

CANCELLED = "AADSTS65004: User declined to consent to access the app."


class ConsentPages:
    """GET shows the page, POST is the administrator's answer."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def v1(self, request: Request) -> Response:
        """/{tenant}/adminconsent: every permission of the registration at once."""
        return await self._answer(request, v2=False)

    async def v2(self, request: Request) -> Response:
        """/{tenant}/v2.0/adminconsent: the permissions of the API that ``scope`` names."""
        return await self._answer(request, v2=True)

    async def _answer(self, request: Request, *, v2: bool) -> Response:
        request.state.operation = "consent"
        query = dict(request.query_params)
        tenant = self.world.find(request.path_params["tenant"])
        problem = self._problem(query, tenant, v2=v2)
        if problem or tenant is None:
            return failure(problem or "AADSTS90002: Tenant not found.")
        resources = [_scope(query)] if v2 else list(RESOURCES)
        if request.method == "POST":
            form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
            signed_in = self.world.find(form.get("signed_in", "")) or tenant
            return self._decided(query, signed_in, resources, accepted=form.get("answer") == "accept", v2=v2)
        return self._page(request, tenant, resources)

    def _problem(self, query: dict[str, str], tenant: Tenant | None, *, v2: bool) -> str:
        registration = self.world.registration
        if tenant is None:
            return "AADSTS90002: Tenant not found. Check to make sure you have the correct tenant ID."
        if query.get("client_id", "").lower() != registration.client_id:
            return "AADSTS700016: Application with this identifier was not found in the directory."
        if not registration.allows_redirect(query.get("redirect_uri", "")):
            return "AADSTS50011: The redirect URI in the request does not match those of the application."
        if v2 and not query.get("scope"):
            return "AADSTS900144: The request must contain the following parameter: 'scope'."
        if v2 and _scope(query) is None:
            return "AADSTS70011: The provided value for the input parameter 'scope' is not valid."
        if tenant.licence != "active":
            return "AADSTS650052: The app needs access to a service that your organization has not subscribed to."
        return ""

    def _page(self, request: Request, tenant: Tenant, resources: list[Resource | None]) -> Response:
        rows = "".join(
            f"<li>{escape(resource.roles.get(role, role))} "
            f"<small>{escape(role)} ({escape(resource.title)})</small></li>"
            for resource in resources
            if resource
            for role in self.world.registration.asks(resource)
        )
        # The choice exists for trying out what happens when somebody signs in at another tenant than the link's.
        others = "".join(
            f'<option value="{escape(other.tenant_id)}"{" selected" if other is tenant else ""}>'
            f"an administrator of {escape(other.name)}</option>"
            for other in list(self.world.tenants.values())[:40]
        )
        name = escape(self.world.registration.name)
        body = f"""<h1>Permissions requested</h1>
<p><strong>{name}</strong> asks an administrator of <strong>{escape(tenant.name)}</strong> ({escape(tenant.domain)})
for:</p>
<ul>{rows}</ul>
<p>If you accept, this app gets access to these resources for all users in your organization.</p>
<form method="post"><p><label>Signed in as <select name="signed_in">{others}</select></label></p>
<p class="row"><button class="main" name="answer" value="accept">Accept</button>
<button name="answer" value="cancel">Cancel</button></p></form>"""
        return page.html("Permissions requested", body)

    def _decided(
        self, query: dict[str, str], tenant: Tenant, resources: list[Resource | None], *, accepted: bool, v2: bool
    ) -> Response:
        state = {"state": query["state"]} if "state" in query else {}
        if accepted:
            chosen = [one for one in resources if one] if v2 else None
            self.world.approve(tenant, resources=chosen)
            answer = {"admin_consent": "True", "tenant": tenant.tenant_id} | state
            answer |= {"scope": query["scope"]} if v2 else {}
        elif v2:
            # As documented: the error answer of v2 says admin_consent=True too.
            answer = {"admin_consent": "True", "error": "consent_required", "error_description": CANCELLED} | state
        else:
            said = "The admin canceled the request"
            answer = {"error": "permission_denied", "error_description": said} | state
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode(answer)}", 302)


def failure(sentence: str) -> Response:
    """Entra's error page: nothing returns to the application."""
    return page.html("Sign in", f"<h1>Sorry, but we are having trouble</h1><p>{escape(sentence)}</p>", 400)


def _scope(query: dict[str, str]) -> Resource | None:
    scope = query.get("scope", "").strip()
    return resource_named(scope.removesuffix("/.default")) if scope.endswith("/.default") and " " not in scope else None
