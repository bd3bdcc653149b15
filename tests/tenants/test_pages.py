"""The tenants' pages: who gets what, by enumeration; outsiders learn nothing, not even that a tenant exists."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.urls import get_resolver

from accounts.models import User
from accounts.roles import Permission, Role
from tenants import scope
from tenants.access import access_tenant, tenants_for
from tenants.models import (
    Budget,
    CompletenessCheck,
    Grant,
    SyncRun,
    SyncState,
    Tenant,
    TenantGroup,
    TenantGroupMember,
    TenantState,
    TokenFacts,
)
from tests.cast import Cast, make_person, make_tenant
from tests.conftest import WebClient
from tests.tenants.arranged import again, make_link, now

SIGN_IN = 302
# Who asks, and what GET and POST answer. Reading an action's address is refused by its method (405).
READ = {"anonymous": (SIGN_IN, SIGN_IN), "outsider": (404, 405), "viewer": (200, 405), "analyst": (200, 405),
        "staff": (200, 405), "staff without grant": (200, 405)}  # fmt: skip
ACT = {"anonymous": (SIGN_IN, SIGN_IN), "outsider": (405, 403), "viewer": (405, 403), "analyst": (405, 403),
       "staff": (405, 302), "staff without grant": (405, 302)}  # fmt: skip
EVERYBODY = {**READ, "outsider": (200, 405)}
CONNECT = {"anonymous": (SIGN_IN, SIGN_IN), "outsider": (403, 403), "viewer": (403, 403), "analyst": (403, 403),
           "staff": (200, 422), "staff without grant": (200, 422)}  # fmt: skip
# Pages about people are for staff alone; to others they are refused whether or not the tenant exists.
MOVE = {**CONNECT, "staff": (200, 302), "staff without grant": (200, 302)}
ACCESS = {"anonymous": (SIGN_IN, SIGN_IN), "outsider": (403, 405), "viewer": (403, 405), "analyst": (403, 405),
          "staff": (200, 405), "staff without grant": (200, 405)}  # fmt: skip
EXPECTED = {
    "/tenants/": EVERYBODY,
    "/tenants/connect/": CONNECT,
    "/tenants/contoso/": READ,
    "/tenants/contoso/state/": READ,
    "/tenants/contoso/link/": {**ACT, "staff": (405, 200), "staff without grant": (405, 200)},
    "/tenants/contoso/check/": ACT,
    "/tenants/contoso/sync/": ACT,
    "/tenants/contoso/completeness/": ACT,
    "/tenants/contoso/roles/": ACT,
    "/tenants/contoso/disconnect/": ACT,
    "/tenants/contoso/access/": ACCESS,
    "/tenants/contoso/access/give/": {**ACT, "staff": (405, 422), "staff without grant": (405, 422)},
    "/tenants/contoso/access/change/": {**ACT, "staff": (405, 404), "staff without grant": (405, 404)},
    "/tenants/contoso/relink/": MOVE,
}
# Public on purpose; tests/tenants/test_callback.py is about them.
PUBLIC = {"connect/<str:secret>/", "consent/callback/"}


def who(cast: Cast, name: str) -> User | None:
    """The person of a column of the matrix."""
    if name.startswith("staff"):
        grants = [] if name == "staff without grant" else [(cast.contoso, Role.ANALYST)]
        return make_person("ada", *grants, is_staff=True)
    return {"anonymous": None, "outsider": cast.charlie, "viewer": cast.bob, "analyst": cast.alice}[name]


@pytest.mark.parametrize("person", READ)
@pytest.mark.parametrize("address", EXPECTED)
def test_every_address_answers_each_kind_of_person_as_written(
    cast: Cast, client: WebClient, address: str, person: str
) -> None:
    user = who(cast, person)
    if user:
        client.force_login(user)
    got, posted = EXPECTED[address][person]
    assert client.get(address).status_code == got
    assert client.head(address).status_code == got
    before = again(cast.contoso)
    assert client.post(address).status_code == posted
    for method in (client.put, client.patch, client.delete):
        assert method(address).status_code in {302, 403, 404, 405}
    if posted in {403, 404, 405} or user is None:
        after = again(cast.contoso)
        assert (after.state, after.check_due_at) == (before.state, before.check_due_at)


def test_the_matrix_has_every_address_of_the_app() -> None:
    included = next(found for found in get_resolver().url_patterns if getattr(found, "app_name", "") == "tenants")
    routes = {str(found.pattern) for found in included.url_patterns}  # type: ignore[union-attr]
    written = {address.strip("/").replace("contoso", "<slug:slug>") + "/" for address in EXPECTED}
    assert routes == written | PUBLIC


def test_the_door_refuses_by_itself_whatever_the_scope_shows_x1(cast: Cast) -> None:
    with scope.operations():
        for slug in ("contoso", "consoto"):
            with pytest.raises(Http404):
                access_tenant(cast.charlie, slug, to=Permission.READ_CONNECTION)
        with pytest.raises(PermissionDenied):
            access_tenant(cast.alice, "contoso", to=Permission.CONNECT)
        assert access_tenant(cast.alice, "contoso", to=Permission.TRIAGE) == cast.contoso
        assert [tenant.slug for tenant in tenants_for(cast.charlie)] == ["northwind"]


def masked(response: Any) -> tuple[int, bytes, dict[str, str]]:
    """What is left of an answer once everything that differs from request to request is taken out."""
    body = re.sub(rb'name="csrfmiddlewaretoken" value="[^"]+"', b"", response.content)
    body = re.sub(rb'data-now="\d+"', b"", body)
    headers = {name: value for name, value in response.headers.items() if name != "X-Request-ID"}
    return response.status_code, body, headers


@pytest.mark.parametrize("method", ["get", "head", "post", "put", "patch", "delete", "options"])
@pytest.mark.parametrize(
    "rest", ["", "state/", "link/", "check/", "sync/", "roles/", "disconnect/", "access/", "relink/"]
)
def test_an_outsider_gets_the_same_bytes_as_for_a_tenant_that_does_not_exist_x1(
    cast: Cast, client: WebClient, rest: str, method: str
) -> None:
    client.force_login(cast.charlie)
    theirs = getattr(client, method)(f"/tenants/contoso/{rest}")
    nobodys = getattr(client, method)(f"/tenants/consoto/{rest}")
    assert masked(theirs) == masked(nobodys)
    assert b"contoso" not in theirs.content.lower()


def test_a_list_shows_only_the_persons_tenants_x3(cast: Cast, client: WebClient) -> None:
    client.force_login(cast.charlie)
    for address in ("/tenants/", "/tenants/?state=connected", "/tenants/?state=nonsense"):
        page = client.get(address).text
        assert "Northwind" in page
        assert "Contoso" not in page
        assert "Fabrikam" not in page
    client.force_login(cast.alice)
    assert re.findall(r'id="tenant-(\w+)"', client.get("/tenants/").text) == ["contoso", "fabrikam"]


def test_counts_of_the_states_do_not_count_other_peoples_tenants_x3(cast: Cast, client: WebClient) -> None:
    make_tenant("Proseware", state=TenantState.CONSENT_LOST)
    client.force_login(cast.charlie)
    page = client.get("/tenants/").text
    assert "Consent lost" not in page
    assert re.findall(r'\?state=connected">Connected <span class="muted">(\d+)<', page) == ["1"]


@pytest.mark.parametrize("over", ["tenant", "group", "everything"])
def test_a_grant_works_on_the_next_request_and_so_does_taking_it_away(cast: Cast, client: WebClient, over: str) -> None:
    client.force_login(cast.charlie)
    assert client.get("/tenants/contoso/").status_code == 404
    group = TenantGroup.objects.create(name="North", covers_all=over == "everything")
    target: dict[str, Any] = {"tenant": cast.contoso} if over == "tenant" else {"group": group}
    grant = Grant.objects.create(user=cast.charlie, role=Role.VIEWER, **target)
    if over == "group":
        assert client.get("/tenants/contoso/").status_code == 404
        with scope.operations():
            TenantGroupMember.objects.create(group=group, tenant=cast.contoso)
    assert client.get("/tenants/contoso/").status_code == 200
    assert "Contoso" in client.get("/tenants/").text
    grant.delete()
    assert client.get("/tenants/contoso/").status_code == 404
    assert "Contoso" not in client.get("/tenants/").text


def test_a_person_who_is_switched_off_is_signed_out_at_once(cast: Cast, client: WebClient) -> None:
    client.force_login(cast.bob)
    assert client.get("/tenants/contoso/").status_code == 200
    User.objects.filter(pk=cast.bob.pk).update(is_active=False)
    assert client.get("/tenants/contoso/").status_code == 302


def test_token_facts_and_links_are_for_staff(cast: Cast, client: WebClient) -> None:
    with scope.operations():
        TokenFacts.objects.create(
            tenant=cast.contoso, resource="xdr", readable=True, obtained_at=now(), issuer="https://sts.example/",
            roles=["Incident.Read.All", "<b>Evil.All</b>"], expires_at=now() + timedelta(hours=1),
        )  # fmt: skip
    make_link(cast.contoso, asked_by="Ada (#1)")
    client.force_login(cast.alice)
    seen = client.get("/tenants/contoso/").text
    assert "sts.example" not in seen
    assert "Links made" not in seen
    client.force_login(make_person("ada", is_staff=True))
    shown = client.get("/tenants/contoso/").text
    assert "sts.example" in shown
    assert "Links made" in shown
    assert "&lt;b&gt;Evil.All&lt;/b&gt;" in shown
    assert "Change and comment incidents" in shown


@pytest.mark.parametrize("state", TenantState)
def test_f50_every_state_is_shown_with_its_sentence_and_step(cast: Cast, client: WebClient, state: TenantState) -> None:
    with scope.operations():
        Tenant.objects.filter(pk=cast.contoso.pk).update(
            state=state, state_code="AADSTS7000112", state_detail="The app <is> not installed.", state_reference="t-1"
        )
        SyncRun.objects.create(tenant=cast.contoso, kind="poll", started_at=now(), ended_at=now(), detail="<i>x</i>")
    client.force_login(make_person("ada", is_staff=True))
    for address in ("/tenants/contoso/", "/tenants/contoso/state/", "/tenants/"):
        page = client.get(address).text
        assert str(state.label) in page
        assert "The app &lt;is&gt; not installed." in page
        assert "<i>x</i>" not in page
    page = client.get("/tenants/contoso/").text
    assert "AADSTS7000112" in page
    assert "t-1" in page


def test_the_list_refreshes_its_rows_alone(cast: Cast, client: WebClient) -> None:
    client.force_login(cast.alice)
    rows = client.get("/tenants/", headers={"HX-Request": "true"}).text
    assert "<html" not in rows
    assert "Contoso" in rows


def test_signed_in_pages_are_never_stored_x7(cast: Cast, client: WebClient) -> None:
    client.force_login(cast.alice)
    for address in ("/tenants/", "/tenants/contoso/", "/tenants/northwind/", "/tenants/connect/"):
        assert "no-store" in client.get(address).headers["Cache-Control"]


def test_a_tenant_without_sync_state_still_has_a_page(cast: Cast, client: WebClient) -> None:
    with scope.operations():
        cast.contoso.sync_state.delete()
    client.force_login(cast.alice)
    assert client.get("/tenants/contoso/").status_code == 200
    assert client.get("/tenants/").status_code == 200


def test_a_person_without_tenants_is_told_so(cast: Cast, client: WebClient) -> None:
    client.force_login(make_person("dora"))
    assert "0 tenants assigned to you" in client.get("/tenants/").text


def test_the_tenants_page_and_the_list_say_whether_anything_is_missing_and_how_many_calls_are_used(
    cast: Cast, client: WebClient
) -> None:
    at = now()
    with scope.operations():
        CompletenessCheck.objects.create(tenant=cast.contoso, checked_at=at, days=30, held=3412, missing=3)
        Budget.objects.create(
            tenant=cast.contoso, verb="list", minute_started_at=at, minute_used=10, hour_started_at=at, hour_used=750
        )
        SyncState.objects.update_or_create(
            tenant=cast.contoso, defaults={"failures": 4, "breaker_until": at + timedelta(hours=1), "is_slow": True}
        )
    client.force_login(cast.alice)
    page = client.get("/tenants/contoso/").text
    assert "3 missing of 3,412 in the last 30 days; read again" in page
    assert "10 of 50 this minute, 750 of 1,500 this hour" in page
    assert "paused until" in page and "slow:" in page
    listed = client.get("/tenants/").text
    assert "3 of 3,412" in listed and "50 %" in listed
    client.force_login(cast.charlie)
    assert "3,412" not in client.get("/tenants/").text


def test_staff_ask_for_a_sweep_and_it_is_due_at_once(cast: Cast, client: WebClient) -> None:
    with scope.operations():
        SyncState.objects.update_or_create(
            tenant=cast.contoso, defaults={"sweep_due_at": now() + timedelta(days=1), "next_due_at": now()}
        )
    client.force_login(make_person("ada", is_staff=True))
    page = client.post("/tenants/contoso/completeness/", follow=True)
    assert "whether anything was missing" in page.text
    with scope.operations():
        due = SyncState.objects.get(tenant=cast.contoso).sweep_due_at
    assert due is not None and due <= now()
