"""ISO-3: every address × method × person, with the other side's ids everywhere a page might look.

Nobody but those whom the address's recipe lets in gets a byte of Contoso, changes a row, touches Redis or makes a call
to Microsoft; each refusal is noted once; and whom it lets in does get there, or all of this would say nothing.
"""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import redis
from django.apps import apps
from django.conf import settings as portal_settings
from django.db.models import Model
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from accounts import step_up
from tests.defender.microsoft import Microsoft, microsoft
from tests.isolation.recipes import Door, Recipe, recipes
from tests.isolation.routes import Route, routes
from tests.isolation.tally import tally
from tests.isolation.world import (
    CONTENT_TABLES,
    PLACES,
    Seen,
    World,
    make_world,
    smuggled,
    undone,
    values_for,
    values_for_nothing,
)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
FORM = "application/x-www-form-urlencoded"
STRANGERS = ("anonymous", "charlie", "rita")
REFUSED_TO = {
    Door.PUBLIC: (),
    Door.SIGNED_IN: ("anonymous",),
    Door.MEMBERS: (*STRANGERS, "dana"),
    Door.MEMBERS_AND_STAFF: STRANGERS,
    Door.STAFF: (*STRANGERS, "bob"),
    Door.STAFF_WITH_GRANT: (*STRANGERS, "bob", "dana"),
    Door.OWNER: (*STRANGERS, "bob", "dana"),
    Door.NOBODY: (*STRANGERS, "bob", "dana"),
}
INSIDER = {
    Door.PUBLIC: "anonymous",
    Door.SIGNED_IN: "alice",
    Door.MEMBERS: "alice",
    Door.MEMBERS_AND_STAFF: "alice",
    Door.STAFF: "ada",
    Door.STAFF_WITH_GRANT: "ada",
    Door.OWNER: "alice",
}
# Served before anything else looks at the request, so they stand in no table of addresses.
BESIDE = ("/livez", "/readyz", "/static/portal/base.css", "/static/portal/nosuch.css", "/static/%2e%2e/manage.py")
ALWAYS_NEW = r'name="csrfmiddlewaretoken" value="[^"]+"|data-now="\d+"|nonce="[^"]+"|\'nonce-[^\']+\''
ROUTES = [pytest.param(route, id=route.name) for route in routes()]


@pytest.fixture(scope="module")
def entra() -> Iterator[Microsoft]:
    with microsoft() as small:
        yield small


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker, entra: Microsoft) -> Iterator[World]:
    """One for all addresses, since whatever a request does is taken back."""
    urls = dict.fromkeys(("login", "xdr", "mde", "graph"), entra.server.url)
    with (
        django_db_blocker.unblock(),
        override_settings(SANDBOX_URLS=urls),
        pytest.MonkeyPatch.context() as patch,
        undone(),
    ):
        patch.setattr(step_up, "FRESH_FOR", timedelta(hours=2))  # the walk may take longer than a proof holds
        yield make_world()


def keys_in_redis() -> set[bytes]:
    """All but counts of how often an address knocked, which are no tenant's."""
    with redis.Redis.from_url(portal_settings.REDIS_URL) as server:
        keys = set(server.scan_iter(match=f"{portal_settings.REDIS_KEY_PREFIX}*", count=1000))
    return {key for key in keys if b"limit:" not in key}


def model_of(route: Route) -> type[Model] | None:
    """The model whose rows an address of the administration shows."""
    found = re.match(r"admin/(\w+)/(\w+)/", route.pattern)
    return apps.all_models.get(found[1], {}).get(found[2]) if found else None


def recipe_for(route: Route) -> Recipe:
    assert route.name in recipes(), (
        f"Nobody has said whom {route.pattern} lets in: add {route.name!r} to RECIPES in tests/isolation/recipes.py."
    )
    missing = set(route.places) - {*PLACES, "object_id"}
    assert not missing, f"Say in PLACES of tests/isolation/world.py what of Contoso's stands for {missing}."
    return recipes()[route.name]


def requests_of(world: World, route: Route, recipe: Recipe, method: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(address, more): Contoso's ids in the path, then everywhere; lists also by each filter alone."""
    model = model_of(route)
    address = route.address(values_for(world.cast, model))
    yield f"{address}?{recipe.query}", {}
    if model and method not in {"GET", "POST"}:
        return  # Django's own pages look at the path, and at a form that was posted
    ids = smuggled(world.cast, model)
    query = recipe.query if recipe.query else urlencode(ids["query"])
    with_body = {} if method in {"GET", "HEAD"} else {"data": urlencode(ids["form"]), "content_type": FORM}
    yield f"{address}?{query}", {**with_body, **ids["headers"]}
    if recipe.is_list and method == "GET":
        for one in (
            "q=canary",
            "tenant=contoso",
            "tenant__slug=contoso",
            f"tenant__id__exact={world.cast.contoso.pk}",
            "all=",
        ):
            yield f"{address}?{one}", {}


def people_at(route: Route, recipe: Recipe, method: str) -> list[str]:
    """Who tries. Bob may read Contoso, so he tries only what is for others; the administration asks first of all who is
    staff, and its pages for a model know two ways to be asked, so that readers try those."""
    people = ["anonymous", "charlie", "dana"]
    if model_of(route) is None or method in {"GET", "POST"}:
        people += ["rita", "bob"] if "bob" in REFUSED_TO[recipe.door] else ["rita"]
    return people


def assert_refused(world: World, person: str, seen: Seen, *, bearer: bool = False) -> None:
    """Sent to sign in, or told no; nothing shown, nothing changed, one line in the log."""
    assert seen.changed == set()
    assert not [word for word in world.secrets if word in seen.words]
    if person == "anonymous" and bearer:
        assert (seen.status, seen.noted) == (401, []), "a program is told that it needs a token; cookies are none"
    elif person == "anonymous":
        assert seen.status == 302
        assert seen.answer.headers["Location"].startswith(("/sign-in/", "/admin/login/"))
        assert seen.noted == []
    else:
        assert seen.status in {403, 404, 405}
        assert seen.noted == ["denied"], "each refusal is noted once: see accounts/denials.py"


def assert_narrowed(world: World, person: str, seen: Seen, *, bearer: bool = False) -> None:
    """Let in, but Contoso is not theirs: staff see its connection, others nothing of it."""
    hidden = world.secrets[:1] if person == "dana" else world.secrets
    assert not [word for word in hidden if word in seen.words]
    assert seen.changed & CONTENT_TABLES == set()
    assert person == "dana" or seen.changed == set()
    assert seen.status < 500


def masked(seen: Seen) -> tuple[int, str, dict[str, str]]:
    """What is left of an answer once everything that differs from request to request is taken out."""
    body = re.sub(ALWAYS_NEW, "", seen.answer.content.decode())
    headers = {name: re.sub(ALWAYS_NEW, "", value) for name, value in seen.answer.headers.items()}
    return seen.status, body, {name: value for name, value in headers.items() if name != "X-Request-ID"}


@pytest.mark.parametrize("route", ROUTES)
def test_nobody_gets_past_the_door_with_the_other_sides_ids(world: World, entra: Microsoft, route: Route) -> None:
    recipe = recipe_for(route)
    keys, calls = keys_in_redis(), len(entra.server.asked)
    for method in METHODS:
        for address, more in requests_of(world, route, recipe, method):
            for person in people_at(route, recipe, method):
                seen = world.ask(person, method, address, bearer=recipe.bearer, **more)
                tally["requests"] += 1
                told = f"{method} {address} by {person}: {seen.status}"
                assert recipe.streams or not seen.answer.streaming, f"{told} is a stream: see STREAMS in test_time.py"
                refused = person in REFUSED_TO[recipe.door] and not (recipe.is_list and person == "dana")
                (assert_refused if refused else assert_narrowed)(world, person, seen, bearer=recipe.bearer)
    assert keys_in_redis() == keys
    if not recipe.asks_entra:
        assert len(entra.server.asked) == calls
    tally["patterns"] += 1


@pytest.mark.parametrize("route", [pytest.param(one, id=one.name) for one in routes() if one.places])
def test_what_is_refused_answers_byte_for_byte_like_what_does_not_exist(world: World, route: Route) -> None:
    recipe, model = recipe_for(route), model_of(route)
    theirs, nobodys = route.address(values_for(world.cast, model)), route.address(values_for_nothing())
    for person in set(REFUSED_TO[recipe.door]) - {"anonymous"}:
        for method in METHODS:
            one, other = (
                world.ask(person, method, f"{path}?{recipe.query}", bearer=recipe.bearer) for path in (theirs, nobodys)
            )
            assert masked(one) == masked(other), f"{method} {theirs} tells {person} that it exists"


@pytest.mark.parametrize("route", ROUTES)
def test_whom_the_recipe_lets_in_gets_there(world: World, route: Route) -> None:
    recipe = recipe_for(route)
    if recipe.door is Door.NOBODY:
        return
    address = f"{route.address(values_for(world.cast, model_of(route)))}?{recipe.query}"
    seen = world.ask(INSIDER[recipe.door], "GET", address, bearer=recipe.bearer)
    if seen.status == 405:
        seen = world.ask(INSIDER[recipe.door], "POST", address, bearer=recipe.bearer, **sent_by(recipe, world))
    assert recipe.door is Door.PUBLIC or seen.status < 400, f"{address}: {seen.status}"
    if recipe.shows:
        assert any(word in seen.words for word in world.secrets), f"{address} shows nothing of Contoso: say shows=False"


def sent_by(recipe: Recipe, world: World) -> dict[str, Any]:
    """What an insider posts: people a form, programs JSON under a key."""
    form = recipe.form(world.cast)
    if recipe.bearer:
        return {"data": json.dumps(form), "content_type": "application/json", "HTTP_IDEMPOTENCY_KEY": "walk"}
    return {"data": urlencode(form), "content_type": FORM}


@pytest.mark.parametrize("path", BESIDE)
def test_what_is_served_beside_the_pages_tells_nothing(world: World, path: str) -> None:
    for method in METHODS:
        for person in (*STRANGERS, "dana"):
            seen = world.ask(person, method, path, **smuggled(world.cast, None)["headers"])
            assert_narrowed(world, "charlie", seen)
            tally["requests"] += 1


def test_recipes_are_of_addresses_that_exist() -> None:
    assert set(recipes()) - {route.name for route in routes()} == set()
