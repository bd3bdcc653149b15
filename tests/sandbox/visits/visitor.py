"""The plain client of `tests.sandbox.cloud` with the words that longer visits need, and a small world to visit."""

from typing import Any

import requests

from sandbox.server import Running
from sandbox.world import World
from tests.sandbox.cloud import GRAPH, MDE, XDR, Cloud

__all__ = ["FEW", "GRAPH", "LOGIN", "MDE", "XDR", "Visitor", "small_world"]

LOGIN = "https://login.microsoftonline.com"
FEW = ("Contoso", "Fabrikam", "Northwind Traders")


class Visitor(Cloud):
    """Every answer is returned as it came."""

    def __init__(self, running: Running) -> None:
        super().__init__(running.url, running.world)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.call("GET", path, **options)

    def post(self, path: str, **options: Any) -> requests.Response:
        return self.call("POST", path, **options)

    def patch(self, incident: int, body: Any) -> requests.Response:
        return self.api(f"/api/incidents/{incident}", method="PATCH", json=body)

    def ask(self, tenant: str = "contoso", **fields: str) -> requests.Response:
        """The token endpoint's answer; an empty text leaves a field away."""
        return self.ask_token(tenant, **fields)

    def path_of(self, tenant: str) -> str:
        """The tenant's id, or the text itself where there is no such tenant."""
        try:
            return self.id_of(tenant)
        except KeyError:
            return tenant

    def everything(self, tenant: str = "contoso", **params: str) -> list[dict[str, Any]]:
        """All incidents, following the next links; fails after 50 pages."""
        found: list[dict[str, Any]] = []
        path, options = "/api/incidents", dict[str, Any](params=params)
        for _ in range(50):
            page = self.api(path, tenant, **options).json()
            found += page["value"]
            link = page.get("@odata.nextLink")
            if link is None:
                return found
            path, options = link.removeprefix(XDR), dict[str, Any]()
        raise AssertionError("more than 50 pages")


def small_world(**settings: Any) -> World:
    """A quiet world of three tenants."""
    usual: dict[str, Any] = {"seed": 7, "tenants": FEW, "pace": 0, "incidents": (40, 60)}
    return World(**(usual | settings))
