"""The admin-consent pages, v1 and v2, and the redirect back with the documented answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote_plus

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from sandbox import page
from sandbox.cast import Tenant
from sandbox.resources import RESOURCES, Resource, resource_named
from sandbox.world import World

DECLINED = "AADSTS65004: User declined to consent to access the app."
CANCELLED = "The admin canceled the request"
# Names in place of a tenant: whoever signs in decides it. The v2 page does not take `common`.
SHARED = {False: ("common", "organizations"), True: ("organizations",)}
# A select of thousands helps nobody.
_CHOICES = 40


@dataclass(frozen=True)
class Asked:
    """One consent request as its link says it; ``tenant`` is the link's, or None where the link leaves it open."""

    query: dict[str, str]
    tenant: Tenant | None
    resources: Sequence[Resource]
    v2: bool


class Failed(Exception):
    """Entra shows its error page and nothing returns to the application; the text is what the page says."""


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
        try:
            asked = self._asked(request, v2=v2)
            if request.method != "POST":
                return self._page(asked)
            if not page.is_own_post(request):
                return page.problem("Sign in", "Answers from pages of other sites are refused.", 403)
            form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
            return self._decided(asked, form)
        except Failed as failed:
            return page.problem("Sign in", str(failed), 400)

    def _asked(self, request: Request, *, v2: bool) -> Asked:
        query, name = dict(request.query_params), request.path_params["tenant"]
        tenant = self.world.find(name)
        if tenant is None and name not in SHARED[v2]:
            raise Failed("AADSTS90002: Tenant not found. Check to make sure you have the correct tenant ID.")
        request.state.tenant_id = tenant.tenant_id if tenant else None
        if query.get("client_id", "").lower() != self.world.registration.client_id:
            raise Failed("AADSTS700016: Application with this identifier was not found in the directory.")
        if not self.world.registration.allows_redirect(query.get("redirect_uri", "")):
            raise Failed("AADSTS50011: The redirect URI in the request does not match those of the application.")
        if tenant:
            _check_licence(tenant)
        return Asked(query, tenant, _resources(query, v2=v2), v2)

    def _page(self, asked: Asked) -> Response:
        app, tenants = self.world.registration, list(self.world.tenants.values())
        rows = "".join(_permission(one, role) for one in asked.resources for role in app.asks(one))
        choices = [*([asked.tenant] if asked.tenant else []), *(one for one in tenants if one is not asked.tenant)]
        # The choice exists for trying out what happens when somebody signs in at another tenant than the link's.
        signed_in = page.select(
            "signed_in",
            [(one.tenant_id, f"admin@{one.domain}") for one in choices[:_CHOICES]],
            label="Signed in as (another tenant shows what a mix-up does)",
        )
        where = f"{asked.tenant.name} ({asked.tenant.domain})" if asked.tenant else "the tenant you sign in to"
        body = f"""<div class="card"><p class="quiet">Sandbox sign-in · not Microsoft</p>
<h1>Permissions requested</h1>
<p class="app"><strong>{page.text(app.name)}</strong><br><small>unverified · {page.text(app.client_id)}</small></p>
<p>This app asks for permissions in <strong>{page.text(where)}</strong>:</p>
<ul class="asks">{rows}</ul>
<p>If you accept, it gets them for the whole organization, without a user being signed in. In this sandbox only
made-up data can be reached.</p>
<form method="post">{signed_in}
<p class="row end"><button name="answer" value="cancel">Cancel</button>
<button class="main" name="answer" value="accept">Accept</button></p></form></div>"""
        return page.html("Permissions requested", body)

    def _decided(self, asked: Asked, form: dict[str, str]) -> Response:
        tenant = self.world.find(form.get("signed_in", "")) or asked.tenant
        if tenant is None:
            raise Failed("AADSTS50059: No tenant-identifying information found in the request.")
        _check_licence(tenant)
        state = [("state", asked.query["state"])] if "state" in asked.query else []
        if form.get("answer") == "accept":
            self.world.approve(tenant, resources=asked.resources if asked.v2 else None)
            answer = _accepted(asked, tenant, state)
        else:
            answer = [*_refused(v2=asked.v2), *state]
        # The order and the spelling of the documented examples.
        query = "&".join(f"{name}={quote_plus(value)}" for name, value in answer)
        return RedirectResponse(f"{asked.query['redirect_uri']}?{query}", 302, page.HEADERS)


def _accepted(asked: Asked, tenant: Tenant, state: list[tuple[str, str]]) -> list[tuple[str, str]]:
    if asked.v2:
        scope = asked.query["scope"]
        return [("admin_consent", "True"), ("tenant", tenant.tenant_id), ("scope", scope), *state]
    return [("tenant", tenant.tenant_id), *state, ("admin_consent", "True")]


def _refused(*, v2: bool) -> list[tuple[str, str]]:
    if v2:
        # As documented: the error answer of v2 says admin_consent=True too.
        return [("admin_consent", "True"), ("error", "consent_required"), ("error_description", DECLINED)]
    return [("error", "permission_denied"), ("error_description", CANCELLED)]


def _permission(resource: Resource, role: str) -> str:
    words, names = page.text(resource.roles.get(role, role)), page.text(f"{role} · {resource.title}")
    return f"<li>{words} <small>{names}</small></li>"


def _check_licence(tenant: Tenant) -> None:
    if tenant.licence != "active":
        raise Failed("AADSTS650052: The app needs access to a service that your organization has not subscribed to.")


def _resources(query: dict[str, str], *, v2: bool) -> Sequence[Resource]:
    """v1 asks for everything the registration lists; v2 for the one API whose ``.default`` the scope names."""
    if not v2:
        return RESOURCES
    scope = query.get("scope", "").strip()
    if not scope:
        raise Failed("AADSTS900144: The request must contain the following parameter: 'scope'.")
    found = resource_named(scope.removesuffix("/.default")) if scope.endswith("/.default") else None
    if found is None:
        raise Failed("AADSTS70011: The provided value for the input parameter 'scope' is not valid.")
    return (found,)
