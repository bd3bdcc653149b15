"""How a browser decides: the forms of the pages, and what they leave in the database."""

import re
from typing import Any

from incidents.models import Incident, Intent
from tenants import scope
from tenants.models import Tenant
from tests.conftest import WebClient

PART = {"HX-Request": "true"}
FORM = "/incidents/triage/"


def intents(tenant: Tenant, **narrow: Any) -> list[Intent]:
    with scope.tenant(tenant.pk):
        return list(Intent.objects.filter(**narrow).order_by("pk"))


def change(tenant: Tenant, number: int, **values: Any) -> None:
    with scope.tenant(tenant.pk):
        Incident.objects.filter(tenant=tenant, number=number).update(**values)


def shown_in(client: WebClient, do: str, *places: str) -> list[str]:
    """What the form that this action opens would send of its incidents."""
    page = client.get(FORM, {"do": do, "incident": places})
    assert page.status_code == 200
    return re.findall(r'name="incident" value="([^"]+)"', page.text)


def post(client: WebClient, do: str, *places: str, part: bool = True, key: str = "key-1", **more: Any) -> Any:
    form = {"do": do, "incident": places or ("contoso:7",), "key": key, **more}
    return client.post(FORM, form, headers=PART if part else {})
