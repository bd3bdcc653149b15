"""Whom each address lets in: one line per address. The walk in test_doors.py tries each on everybody else.

A new page: add ``"app:name": Recipe(Door.…)`` to RECIPES. A new place in a pattern (``<uuid:session>``): say in PLACES
of world.py what of Contoso's stands there. The administration's usual pages make their own recipes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import SimpleNamespace
from typing import Any

from django.contrib import admin

from accounts.models import User
from tenants.models import Grant, Tenant
from tests.cast import Cast
from tests.isolation.rows import content


class Door(Enum):
    """Whom a page lets in. Everybody else is refused, and the refusal is noted."""

    PUBLIC = "anybody, and it tells nothing"
    SIGNED_IN = "everybody who is signed in, each to what is theirs"
    MEMBERS = "people with a role over the tenant"
    MEMBERS_AND_STAFF = "the same, and staff, who see no incident there"
    STAFF = "staff, who see no incident there"
    STAFF_WITH_GRANT = "staff with a role over the tenant; without one they see an empty list, and no row"
    OWNER = "the one person whom the row belongs to, who is alice"
    NOBODY = "nobody: it is switched off, or leads nowhere"


@dataclass(frozen=True, slots=True)
class Recipe:
    """``shows``: whom it lets in sees the tenant there, which proves that the others miss something.

    ``is_list``: staff without a grant get an empty list instead of a refusal. ``query`` is what the page wants to know.
    ``streams``: sent as a stream, for a reason given in test_time.py. ``asks_entra``: Entra ID is asked something, by
    whoever may. ``form``: what somebody whom it lets in posts.
    """

    door: Door
    shows: bool = True
    is_list: bool = False
    query: str = ""
    streams: bool = False
    asks_entra: bool = False
    form: Callable[[Cast], dict[str, Any]] = lambda cast: {}


RECIPES: dict[str, Recipe] = {
    "home": Recipe(Door.SIGNED_IN, shows=False),
    "accounts:sign_in": Recipe(Door.PUBLIC, shows=False),
    "accounts:sign_out": Recipe(Door.SIGNED_IN, shows=False),
    "accounts:entra_begin": Recipe(Door.PUBLIC, shows=False, asks_entra=True),
    "accounts:entra_callback": Recipe(Door.PUBLIC, shows=False),
    "accounts:second_factor": Recipe(Door.PUBLIC, shows=False),
    "accounts:enrol": Recipe(Door.PUBLIC, shows=False),
    "accounts:step_up": Recipe(Door.SIGNED_IN, shows=False),
    "accounts:again": Recipe(Door.SIGNED_IN, shows=False),
    "accounts:sessions": Recipe(Door.SIGNED_IN, shows=False),
    "accounts:authenticator": Recipe(Door.SIGNED_IN, shows=False),
    "accounts:end_session": Recipe(Door.OWNER, shows=False),
    "accounts:end_other_sessions": Recipe(Door.SIGNED_IN, shows=False),
    "audit:events": Recipe(Door.STAFF, shows=False),
    "audit:download": Recipe(Door.STAFF, shows=False, streams=True),
    "tenants:tenants": Recipe(Door.SIGNED_IN),
    "tenants:connect_tenant": Recipe(Door.STAFF, shows=False, asks_entra=True),
    "tenants:tenant": Recipe(Door.MEMBERS_AND_STAFF),
    "tenants:tenant_state": Recipe(Door.MEMBERS_AND_STAFF),
    "tenants:new_link": Recipe(Door.STAFF),
    "tenants:check_now": Recipe(Door.STAFF, shows=False),
    "tenants:sync_now": Recipe(Door.STAFF, shows=False),
    "tenants:sweep_now": Recipe(Door.STAFF, shows=False),
    "tenants:accept_roles": Recipe(Door.STAFF, shows=False),
    "tenants:disconnect": Recipe(Door.STAFF, shows=False),
    "tenants:access": Recipe(Door.STAFF),
    "tenants:give_role": Recipe(Door.STAFF, shows=False, form=lambda cast: {"person": cast.bob.pk, "role": "viewer"}),
    "tenants:change_role": Recipe(
        Door.STAFF, shows=False, form=lambda cast: {"grant": grant_over(cast.contoso, cast.alice), "role": "none"}
    ),
    "tenants:relink": Recipe(Door.STAFF, shows=False),
    "tenants:connect": Recipe(Door.PUBLIC, shows=False),
    "tenants:callback": Recipe(Door.PUBLIC, shows=False),
    "incidents:queue": Recipe(Door.SIGNED_IN),
    "incidents:queue_rows": Recipe(Door.SIGNED_IN),
    "incidents:queue_tenants": Recipe(Door.SIGNED_IN),
    "incidents:queue_facets": Recipe(Door.SIGNED_IN, query="status=open"),
    "incidents:queue_freshness": Recipe(Door.SIGNED_IN),
    "incidents:choose_columns": Recipe(Door.SIGNED_IN, shows=False),
    "incidents:save_view": Recipe(Door.SIGNED_IN, shows=False),
    "incidents:saved_view": Recipe(Door.OWNER),
    "incidents:change_view": Recipe(Door.OWNER, shows=False, form=lambda cast: {"name": "Changed"}),
    "incidents:remove_view": Recipe(Door.OWNER, shows=False),
    "incidents:default_view": Recipe(Door.OWNER, shows=False),
    "incidents:incident": Recipe(Door.MEMBERS),
    "incidents:alerts": Recipe(Door.MEMBERS, shows=False),  # those that the page left out
    "incidents:evidence": Recipe(Door.MEMBERS, query="kind=ip"),
    "incidents:raw": Recipe(Door.MEMBERS),
    "incidents:changes": Recipe(Door.MEMBERS, shows=False),
    "admin:login": Recipe(Door.PUBLIC, shows=False),
    "admin:index": Recipe(Door.STAFF, shows=False),
    "admin:logout": Recipe(Door.STAFF, shows=False),
    "admin:auth_user_password_change": Recipe(Door.STAFF, shows=False),
    "admin:password_change": Recipe(Door.STAFF, shows=False),
    "admin:password_change_done": Recipe(Door.STAFF, shows=False),
    "admin:autocomplete": Recipe(Door.STAFF, query="app_label=tenants&model_name=grant&field_name=tenant&term=con"),
    "admin:jsi18n": Recipe(Door.STAFF, shows=False),
    "admin:view_on_site": Recipe(Door.STAFF, shows=False),
    "admin:app_list": Recipe(Door.STAFF, shows=False),
    "admin/(?P<url>.*)$": Recipe(Door.NOBODY, shows=False),
}


def grant_over(tenant: Tenant, person: User) -> int:
    """The key of the person's role over the tenant."""
    return Grant.objects.filter(tenant=tenant, user=person).values_list("pk", flat=True)[0]


def recipes() -> dict[str, Recipe]:
    """Those written down and those of the administration's usual pages, by the route's name."""
    return {**_of_administration(), **RECIPES}


def _of_administration() -> dict[str, Recipe]:
    made = {}
    for model, page in admin.site._registry.items():
        app, name = model._meta.app_label, model._meta.model_name
        is_content = model in content()
        door = Door.STAFF_WITH_GRANT if is_content else Door.STAFF
        made[f"admin:{app}_{name}_changelist"] = Recipe(door, is_list=True, shows=is_content)
        made[f"admin:{app}_{name}_change"] = Recipe(door, shows=is_content)
        made[f"admin:{app}_{name}_history"] = Recipe(door, shows=False)
        made[f"admin/{app}/{name}/<path:object_id>/"] = Recipe(Door.STAFF, shows=False)  # leads on to the form
        asked: Any = SimpleNamespace(user=User(is_staff=True))
        adds, deletes = page.has_add_permission(asked), page.has_delete_permission(asked)
        made[f"admin:{app}_{name}_add"] = Recipe(Door.STAFF if adds else Door.NOBODY, shows=False)
        made[f"admin:{app}_{name}_delete"] = Recipe(door if deletes else Door.NOBODY, shows=False)
    return made
