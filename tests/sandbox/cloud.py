"""A sandbox behind HTTP and a client as plain as can be: no code of the portal's, so that both sides are judged."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from sandbox.server import running
from sandbox.world import World

XDR, MDE, GRAPH = (
    "https://api.security.microsoft.com",
    "https://api.securitycenter.microsoft.com",
    "https://graph.microsoft.com",
)
Json = dict[str, Any]


class Cloud:
    """One world and the address it answers at."""

    def __init__(self, url: str, world: World) -> None:
        self.url, self.world = url, world
        self.http = requests.Session()
        # The shell's proxies and certificates are nothing to a server on loopback.
        self.http.trust_env = False
        self._tokens: dict[tuple[str, str], str] = {}

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """One request; redirects are shown, not followed."""
        return self.http.request(method, self.url + path, timeout=20, allow_redirects=False, **options)

    def ask_token(self, name: str, *, resource: str = XDR, version: str = "v2", **fields: str) -> requests.Response:
        """The client-credentials grant for a tenant known to the world by ``name``, or for any text in a path."""
        found = self.world.tenants.get(name) or next(
            (one for one in self.world.tenants.values() if name in (one.slug, one.name)), None
        )
        place = found.tenant_id if found else name
        form = {"grant_type": "client_credentials", "client_id": self.world.registration.client_id}
        form |= {"client_secret": self.world.registration.secrets[-1].value}
        form |= {"scope": f"{resource}/.default"} if version == "v2" else {"resource": resource}
        path = f"/{place}/oauth2/v2.0/token" if version == "v2" else f"/{place}/oauth2/token"
        return self.call("POST", path, data={name: value for name, value in (form | fields).items() if value})

    def token(self, name: str = "contoso", *, resource: str = XDR) -> str:
        """A token, kept for the next call."""
        if (name, resource) not in self._tokens:
            answer = self.ask_token(name, resource=resource)
            assert answer.status_code == 200, answer.text
            self._tokens[name, resource] = answer.json()["access_token"]
        return self._tokens[name, resource]

    def api(self, path: str, name: str = "contoso", *, method: str = "GET", **options: Any) -> requests.Response:
        """A call of the APIs as the application of a tenant."""
        resource = options.pop("resource", XDR)
        headers = {"Authorization": f"Bearer {self.token(name, resource=resource)}"} | options.pop("headers", {})
        return self.call(method, path, headers=headers, **options)

    def incidents(self, name: str = "contoso", query: str = "") -> list[Json]:
        """All incidents of a tenant in the order of the pages, following the links as a client maps them."""
        path, found = f"/api/incidents{query}", list[Json]()
        while path:
            body = self.api(path, name).json()
            found += body["value"]
            path = body.get("@odata.nextLink", "").removeprefix(XDR)
        return found

    def control(self, path: str, body: Any = None, *, method: str = "POST", **options: Any) -> requests.Response:
        """A call of the control API."""
        return self.call(method, f"/_sandbox/{path}", json={} if body is None else body, **options)

    def id_of(self, name: str) -> str:
        """The tenant id."""
        return self.world.tenant(name).tenant_id


@contextmanager
def cloud_of(world: World) -> Iterator[Cloud]:
    """A running sandbox with a client."""
    with running(world) as sandbox:
        cloud = Cloud(sandbox.url, world)
        try:
            yield cloud
        finally:
            cloud.http.close()
