"""The consent pages: what is shown, what is granted, and exactly what goes back to the application."""

from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt
import pytest
import requests

from tests.sandbox.visits.visitor import MDE, XDR, Visitor

BACK = "http://localhost:8000/consent/callback/"
STATE = "s+t/a te&1"


def link(visitor: Visitor, tenant: str, *, v2: bool = True, **params: str) -> tuple[str, dict[str, str]]:
    """Path and query of a consent link."""
    usual = {"client_id": visitor.world.registration.client_id, "redirect_uri": BACK, "state": STATE}
    usual |= {"scope": f"{XDR}/.default"} if v2 else {}
    return f"/{visitor.path_of(tenant)}{'/v2.0' if v2 else ''}/adminconsent", usual | params


def answer(visitor: Visitor, tenant: str, said: str, *, v2: bool = True, **form: str) -> requests.Response:
    """The administrator's answer on the page."""
    path, params = link(visitor, tenant, v2=v2)
    return visitor.post(path, params=params, data={"answer": said, **form})


def roles(visitor: Visitor, tenant: str, resource: str = XDR) -> list[str]:
    given = visitor.ask(tenant, scope=f"{resource}/.default").json()["access_token"]
    found: list[str] = jwt.decode(given, options={"verify_signature": False}).get("roles", [])
    return found


def test_the_page_names_app_tenant_and_permissions_and_runs_no_script(cast: Visitor) -> None:
    path, params = link(cast, "Coho Vineyard", v2=False)
    page = cast.get(path, params=params)
    for text in (cast.world.registration.name, "Coho Vineyard", "Incident.Read.All", "Machine.Read.All"):
        assert text in page.text
    assert "<script" not in page.text and "script-src" not in page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_v2_accept_answers_as_documented_and_grants_that_resource_only(cast: Visitor) -> None:
    back = answer(cast, "Coho Vineyard", "accept")
    assert back.status_code == 302
    assert back.headers["Location"].startswith(f"{BACK}?")
    assert dict(parse_qsl(urlsplit(back.headers["Location"]).query)) == {
        "admin_consent": "True",
        "tenant": cast.path_of("Coho Vineyard"),
        "scope": f"{XDR}/.default",
        "state": STATE,
    }
    assert roles(cast, "Coho Vineyard") == ["Incident.Read.All", "Incident.ReadWrite.All"]
    assert roles(cast, "Coho Vineyard", MDE) == []


def test_v1_accept_answers_as_documented_and_grants_everything_asked(cast: Visitor) -> None:
    back = answer(cast, "Coho Vineyard", "accept", v2=False)
    assert dict(parse_qsl(urlsplit(back.headers["Location"]).query)) == {
        "tenant": cast.path_of("Coho Vineyard"),
        "state": STATE,
        "admin_consent": "True",
    }
    assert roles(cast, "Coho Vineyard", MDE) == ["Machine.Read.All"]


@pytest.mark.parametrize(("v2", "error"), [(True, "consent_required"), (False, "permission_denied")])
def test_cancel_answers_with_the_documented_error_and_grants_nothing(cast: Visitor, v2: bool, error: str) -> None:
    back = answer(cast, "Coho Vineyard", "cancel", v2=v2)
    query = parse_qs(urlsplit(back.headers["Location"]).query)
    assert query["error"] == [error]
    assert query["error_description"]
    # The documented error answer of the second version says so although nothing was granted.
    assert query.get("admin_consent") == (["True"] if v2 else None)
    assert cast.world.tenant("Coho Vineyard").principal is None


def test_the_grant_of_one_tenant_takes_its_time(cast: Visitor) -> None:
    answer(cast, "Fourth Coffee", "accept")
    assert roles(cast, "Fourth Coffee") == []
    cast.world.advance(seconds=46)
    assert roles(cast, "Fourth Coffee") != []


def test_somebody_of_another_tenant_may_answer_and_the_callback_says_so(cast: Visitor) -> None:
    other = cast.path_of("Margie's Travel")
    back = answer(cast, "Coho Vineyard", "accept", signed_in=other)
    assert f"tenant={other}" in back.headers["Location"]
    assert cast.world.tenant("Coho Vineyard").principal is None
    assert cast.world.tenant("Margie's Travel").principal is not None


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"redirect_uri": "https://evil.example/consent/callback/"}, "AADSTS50011"),
        ({"redirect_uri": f"{BACK}more"}, "AADSTS50011"),
        ({"redirect_uri": ""}, "AADSTS50011"),
        ({"client_id": "somebody"}, "AADSTS700016"),
        ({"scope": ""}, "AADSTS900144"),
        ({"scope": f"{XDR}/.default {MDE}/.default"}, "AADSTS70011"),
    ],
)
def test_a_wrong_link_ends_on_an_error_page(cast: Visitor, params: dict[str, str], code: str) -> None:
    path, usual = link(cast, "Coho Vineyard")
    for send in (cast.get, cast.post):
        page = send(path, params=usual | params)
        assert page.status_code == 400 and code in page.text
    assert cast.world.tenant("Coho Vineyard").principal is None


def test_a_tenant_that_nobody_knows_ends_on_an_error_page(cast: Visitor) -> None:
    path, params = link(cast, "nobody.example")
    assert "AADSTS90002" in cast.get(path, params=params).text


@pytest.mark.parametrize("v2", [True, False])
def test_a_tenant_without_a_licence_cannot_consent(cast: Visitor, v2: bool) -> None:
    page = answer(cast, "School of Fine Art", "accept", v2=v2)
    assert page.status_code == 400 and "AADSTS650052" in page.text


def test_text_from_the_link_is_shown_as_text(cast: Visitor) -> None:
    path, params = link(cast, "Coho Vineyard", scope="<script>alert(1)</script>")
    assert "<script>" not in cast.get(path, params=params).text


def test_consent_given_again_takes_back_what_is_no_longer_asked(cast: Visitor) -> None:
    assert "AdvancedHunting.Read.All" in roles(cast, "Humongous Insurance")
    answer(cast, "Humongous Insurance", "accept", v2=False)
    assert roles(cast, "Humongous Insurance") == ["Incident.Read.All", "Incident.ReadWrite.All"]


def test_the_state_of_a_link_is_not_kept_in_the_log_of_calls(cast: Visitor) -> None:
    path, params = link(cast, "Coho Vineyard", state="a-secret-while-it-lasts")
    cast.get(path, params=params)
    call = cast.world.calls.since()[-1]
    assert call.path == path and "a-secret-while-it-lasts" not in str(call.described())
